// Output as a terminal would show it: escape sequences become colours or nothing, never markup.
//
// It understands what commands on routers print (colours, carriage returns, erasing a line) and drops
// the rest: there is no screen to move about on, and nothing that output could ask of this page.

/** How text looks. One object a look, so that looks are compared by identity. */
export interface Style {
  /** 0 to 255, or `#rrggbb`; null for the usual ink. */
  readonly ink: number | string | null;
  readonly paper: number | string | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
}

export const PLAIN: Style = {
  ink: null,
  paper: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
};

/** Text of one look. */
export interface Span {
  text: string;
  style: Style;
}

export type Line = Span[];

/** What ends no sooner is no escape sequence. */
const LONGEST_SEQUENCE = 4096;

/** Beyond that a move to the right goes no further; text may. */
const WIDEST_MOVE = 1000;

/** These turn text around without being seen: a name or a path could pretend to be another. */
const TURNS = /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/gu;

const ESCAPE = "\u001b";

interface Cell {
  text: string;
  style: Style;
}

export class Screen {
  /** Lines that are done with. */
  readonly lines: Line[] = [];
  #cells: Cell[] = [];
  #column = 0;
  #style = PLAIN;
  /** The beginning of a sequence whose end has not come. */
  #rest = "";

  /** The line that is being written. */
  get last(): Line {
    return spansOf(this.#cells);
  }

  /** Takes more output. */
  write(text: string): void {
    let input = this.#rest + text;
    this.#rest = "";
    while (input !== "") {
      const at = input.search(CONTROL);
      const plain = at < 0 ? input : input.slice(0, at);
      if (plain) this.#put(plain);
      if (at < 0) return;
      const taken = this.#control(input.slice(at));
      if (taken === null) {
        this.#rest = input.slice(at);
        return;
      }
      input = input.slice(at + taken);
    }
  }

  #put(text: string): void {
    const shown = text.replace(TURNS, "\ufffd");
    for (const character of shown) {
      this.#cells[this.#column] = { text: character, style: this.#style };
      this.#column += 1;
    }
  }

  /** Obeys what `input` begins with; answers with how long that is, null if its end is not there yet. */
  #control(input: string): number | null {
    switch (input[0]) {
      case "\n":
        this.lines.push(this.last);
        this.#cells = [];
        this.#column = 0;
        return 1;
      case "\r":
        this.#column = 0;
        return 1;
      case "\b":
        this.#column = Math.max(0, this.#column - 1);
        return 1;
      case ESCAPE:
        return this.#escape(input);
      default:
        return 1;
    }
  }

  #escape(input: string): number | null {
    const sequence = SEQUENCE.exec(input);
    if (sequence) {
      const [all, parameters, final] = sequence;
      if (final !== undefined) this.#csi(parameters ?? "", final);
      return all.length;
    }
    // Cut off at the end of what came, or never a sequence.
    return input.length < LONGEST_SEQUENCE && UNFINISHED.test(input) ? null : 1;
  }

  #csi(parameters: string, final: string): void {
    // The rest is somebody's own: what it means here, nobody knows.
    if (!/^[0-9;:]*$/.test(parameters)) return;
    const parts = parameters.split(";");
    const numbers = parts.map(numberOf);
    const count = Math.max(numbers[0] ?? 1, 1);
    // Looks in parts, such as a curly underline, are none of ours.
    const looks = parts.filter((part) => !part.includes(":")).map(numberOf);
    if (final === "m") this.#style = looks.length > 0 ? styled(this.#style, looks) : this.#style;
    else if (final === "K") this.#erase(numbers[0] ?? 0);
    else if (final === "G") this.#moveTo(count - 1);
    else if (final === "C") this.#moveTo(this.#column + count);
    else if (final === "D") this.#moveTo(this.#column - count);
  }

  #moveTo(column: number): void {
    // Room is made for what is moved over: who only moves must not fill the memory.
    const widest = Math.max(WIDEST_MOVE, this.#cells.length);
    this.#column = Math.max(0, Math.min(column, widest));
    while (this.#cells.length < this.#column) this.#cells.push({ text: " ", style: PLAIN });
  }

  #erase(what: number): void {
    if (what === 0) this.#cells.length = Math.min(this.#cells.length, this.#column);
    else {
      const end = what === 1 ? this.#column + 1 : this.#cells.length;
      this.#cells = this.#cells.map((cell, at) => (at < end ? { text: " ", style: PLAIN } : cell));
    }
  }
}

/** Whatever is no number counts as left out. */
function numberOf(parameter: string): number | null {
  return /^[0-9]+$/.test(parameter) ? Number(parameter) : null;
}

const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/u;
/** A whole sequence: CSI, or one with a text (OSC and its like), or any other. */
const SEQUENCE =
  /^\u001b(?:\[([0-9;:<=>?]*)[ -/]*([@-~])|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/u;
/** The beginning of one. */
const UNFINISHED = /^\u001b(?:\[[0-9;:<=>?]*[ -/]*|[\]PX^_][^\u0007\u001b]*\u001b?|[ -/]*)$/u;

function spansOf(cells: Cell[]): Line {
  const spans: Line = [];
  for (const { text, style } of cells) {
    const last = spans.at(-1);
    if (last?.style === style) last.text += text;
    else spans.push({ text, style });
  }
  return spans;
}

/** Select Graphic Rendition (ECMA-48, 8.3.117) with the colours of xterm. */
function styled(style: Style, numbers: (number | null)[]): Style {
  let next = style;
  for (let at = 0; at < numbers.length; at += 1) {
    const code = numbers[at] ?? 0;
    if (code === 38 || code === 48) {
      const { color, taken } = extended(numbers.slice(at + 1));
      at += taken;
      if (color !== null) next = { ...next, [code === 38 ? "ink" : "paper"]: color };
      continue;
    }
    next = code === 0 ? PLAIN : { ...next, ...(SIMPLE[code] ?? coloured(code)) };
  }
  return next;
}

const SIMPLE: Record<number, Partial<Style>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { ink: null },
  49: { paper: null },
};

function coloured(code: number): Partial<Style> {
  if (code >= 30 && code <= 37) return { ink: code - 30 };
  if (code >= 40 && code <= 47) return { paper: code - 40 };
  if (code >= 90 && code <= 97) return { ink: code - 82 };
  if (code >= 100 && code <= 107) return { paper: code - 92 };
  return {};
}

function extended(numbers: (number | null)[]): { color: number | string | null; taken: number } {
  const [kind, ...values] = numbers;
  if (kind === 5) return { color: Math.min(values[0] ?? 0, 255), taken: 2 };
  if (kind !== 2) return { color: null, taken: 1 };
  const parts = [0, 1, 2].map((at) => Math.min(values[at] ?? 0, 255));
  return { color: `#${parts.map((it) => it.toString(16).padStart(2, "0")).join("")}`, taken: 4 };
}

/** The colour of an index from 16 on, as xterm has them. */
export function colorOf(index: number): string {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const at = index - 16;
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  return `rgb(${level(Math.floor(at / 36))} ${level(Math.floor(at / 6) % 6)} ${level(at % 6)})`;
}

export function textOf(line: Line): string {
  return line.map((span) => span.text).join("");
}
