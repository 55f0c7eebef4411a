import { beforeEach, expect, test } from "vitest";

import { PLAIN, Screen, textOf, type Style } from "./ansi";
import { BLOCK_LINES, BLOCK_UNITS, PIECE_UNITS, Sheet } from "./sheet";

interface Block {
  isContinued: boolean;
  pieces: { text: string; style: Style }[];
  rows: number;
}

/** What stands on the page, and what it took. */
let blocks: Block[];
let made: { blocks: number; pieces: number; units: number };
let screen: Screen;
let sheet: Sheet;

beforeEach(() => {
  blocks = [];
  made = { blocks: 0, pieces: 0, units: 0 };
  begin();
});

function begin() {
  blocks = [];
  screen = new Screen();
  sheet = new Sheet({
    begin(isContinued) {
      const block: Block = { isContinued, pieces: [], rows: 0 };
      blocks.push(block);
      made.blocks += 1;
      return {
        add(text, style) {
          const piece = { text, style };
          block.pieces.push(piece);
          made.pieces += 1;
          made.units += text.length;
          return { remove: () => block.pieces.splice(block.pieces.indexOf(piece), 1) };
        },
        estimate: (rows) => (block.rows = rows),
        remove: () => blocks.splice(blocks.indexOf(block), 1),
      };
    },
  });
}

function draw(output: string) {
  screen.write(output);
  sheet.draw(screen.take());
}

const textIn = (block: Block) => block.pieces.map(({ text }) => text).join("");

/** The lines as one sees them: the end of a block ends its last line, and what ends there anyway adds none. */
function seen(): string[] {
  const lines: string[] = [];
  for (const block of blocks) {
    const own = textIn(block).replace(/\n$/, "").split("\n");
    if (block.isContinued) own[0] = (lines.pop() ?? "") + own[0];
    lines.push(...own);
  }
  return lines;
}

/** The looks of what is seen, a character each. */
function looks(): string {
  const pieces = blocks.flatMap((block) => block.pieces);
  return pieces.map(({ text, style }) => (style === PLAIN ? "." : String(style.ink)).repeat(text.replaceAll("\n", "").length)).join("");
}

test("lines stand under each other, empty ones too", () => {
  draw("one\n\n\ntwo\n");
  draw("\nthree");
  expect(seen()).toEqual(["one", "", "", "two", "", "three"]);
});

test("an empty line at the end of a block is seen", () => {
  const lines = Array.from({ length: 3 * BLOCK_LINES }, (_, at) => (at % 2 === 0 ? "x" : ""));
  draw(lines.map((it) => `${it}\n`).join(""));
  draw("end");
  expect(seen()).toEqual([...lines, "end"]);
  expect(blocks.length).toBe(4);
});

test("half a million short lines are some thousands of pieces, each written once", () => {
  const count = 500_000;
  draw("x\n".repeat(count));
  expect(blocks.length).toBe(count / BLOCK_LINES);
  expect(made.pieces).toBe(blocks.length);
  expect(made.units).toBeLessThanOrEqual(2 * count);
  expect(blocks[0]?.rows).toBe(BLOCK_LINES);
});

test("a line without end is not written again with each update", () => {
  const [updates, more] = [300, 3500];
  for (let update = 0; update < updates; update += 1) draw("x".repeat(more));
  expect(seen()).toEqual(["x".repeat(updates * more)]);
  // Of the piece that takes more, what it held is written again.
  expect(made.units).toBeLessThan(updates * (more + PIECE_UNITS));
  for (const block of blocks) expect(textIn(block).length).toBeLessThanOrEqual(BLOCK_UNITS);
  expect(blocks.flatMap(({ pieces }) => pieces).length).toBeLessThan((2 * updates * more) / PIECE_UNITS);
});

test("lines that come in many updates are written once, and a line that comes letter by letter is one piece", () => {
  for (let update = 0; update < 1000; update += 1) draw("a line\n");
  expect([made.pieces, made.blocks]).toEqual([1000, 1000 / BLOCK_LINES]);
  for (const letter of "letter by letter") draw(letter);
  expect(blocks.at(-1)?.pieces.length).toBe(1);
});

test("what is written over takes the place of what was there, across blocks as well", () => {
  draw("10 %");
  draw("\r20 %");
  draw("\r\u001b[Kdone\n");
  expect(seen()).toEqual(["done"]);
  begin();
  draw(`${"y".repeat(4000)}\n${"y".repeat(3000)}\n`);
  draw("z".repeat(1000));
  draw("z".repeat(1000));
  expect(blocks.map(({ isContinued }) => isContinued)).toEqual([false, true]);
  draw("\r\u001b[Kshort");
  expect(seen()).toEqual(["y".repeat(4000), "y".repeat(3000), "short"]);
  expect(blocks.length).toBe(1);
});

test("however output is cut into updates, it comes to the same", () => {
  // The same for each run: a simple generator of numbers that look random.
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  const parts = ["\n", "\r", "\b", "text ", "🚌", "\u001b[31m", "\u001b[0m", "\u001b[K", "\u001b[1K", "\u001b[5C", "\u001b[2D", "\n\n"];
  for (let run = 0; run < 20; run += 1) {
    const output = Array.from({ length: 400 }, () => {
      const at = random(parts.length + 1);
      return parts[at] ?? "long ".repeat(random(600));
    }).join("");
    const whole = new Screen();
    whole.write(output);
    const { rows, last } = whole.take();
    const expected = rows.map(({ spans, isEnd }) => textOf(spans) + (isEnd ? "\n" : "")).join("") + textOf(last);
    begin();
    draw(output);
    const atOnce = looks();
    begin();
    for (let at = 0; at < output.length; ) {
      const more = 1 + random(3000);
      draw(output.slice(at, at + more));
      at += more;
    }
    expect(seen().join("\n")).toBe(expected.replace(/\n$/, ""));
    expect(looks()).toBe(atOnce);
  }
});
