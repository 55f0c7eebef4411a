// The vehicles' signs, drawn once: a frame only copies them.

import type { Palette } from "./palette";

const HEADINGS = 36;
const SIDE = 26;

export type Kind = "vehicle" | "stale" | "chosen";
const KINDS: Kind[] = ["vehicle", "stale", "chosen"];

/** Half of a sign's side, in pixels of the page. */
export const REACH = SIDE / 2;

export class Sprites {
  readonly #sheet: HTMLCanvasElement;
  readonly #ratio: number;

  constructor(palette: Palette, ratio: number) {
    this.#ratio = ratio;
    this.#sheet = document.createElement("canvas");
    this.#sheet.width = SIDE * ratio * (HEADINGS + 1);
    this.#sheet.height = SIDE * ratio * KINDS.length;
    const context = this.#sheet.getContext("2d");
    if (!context) return;
    KINDS.forEach((kind, row) => {
      for (let column = 0; column <= HEADINGS; column += 1) {
        context.setTransform(ratio, 0, 0, ratio, column * SIDE * ratio, row * SIDE * ratio);
        context.translate(REACH, REACH);
        // The last is for what has no heading.
        if (column < HEADINGS) context.rotate((column / HEADINGS) * 2 * Math.PI);
        draw(context, palette, kind, column < HEADINGS);
      }
    });
  }

  /** Draws one with its middle there. */
  copy(
    context: CanvasRenderingContext2D,
    kind: Kind,
    heading: number | null,
    x: number,
    y: number,
  ): void {
    const side = SIDE * this.#ratio;
    const turn = heading === null ? 0 : Math.round((heading / (2 * Math.PI)) * HEADINGS);
    const column = heading === null ? HEADINGS : (turn + HEADINGS) % HEADINGS;
    const row = KINDS.indexOf(kind);
    context.drawImage(
      this.#sheet,
      column * side,
      row * side,
      side,
      side,
      x - REACH,
      y - REACH,
      SIDE,
      SIDE,
    );
  }
}

/** An arrowhead towards the north, or a dot. */
function draw(
  context: CanvasRenderingContext2D,
  palette: Palette,
  kind: Kind,
  hasHeading: boolean,
): void {
  const size = kind === "chosen" ? 1.3 : 1;
  context.beginPath();
  if (hasHeading) {
    context.moveTo(0, -8 * size);
    context.lineTo(5.6 * size, 6 * size);
    context.lineTo(0, 3.2 * size);
    context.lineTo(-5.6 * size, 6 * size);
    context.closePath();
  } else {
    context.arc(0, 0, 5 * size, 0, 2 * Math.PI);
  }
  context.lineJoin = "round";
  context.lineWidth = 3.4;
  context.strokeStyle = palette.rim;
  context.stroke();
  context.fillStyle = palette[kind];
  context.fill();
}
