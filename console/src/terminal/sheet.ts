// Where the text of a screen stands on the page: in blocks of lines, and in each of them in pieces of one
// look. What is done with is written once; of the row that is being written, only what has changed.
//
// A line has no element of its own: half a million short ones are some thousands of blocks, with a text
// each. And a line that is very long goes on in another block, so that the browser need not break all of it
// into rows anew when something comes to its end.

import { PLAIN, type Change, type Line, type Style } from "./ansi";

/** What a block holds: lines, or UTF-16 units of text where they are long. */
export const BLOCK_LINES = 200;
export const BLOCK_UNITS = 8192;
/** What a piece holds: at most that much is written again when something comes to its end. */
export const PIECE_UNITS = 1024;
/** How many units a row on the page is thought to have, until it is seen. */
const ROW_UNITS = 100;

export interface Removable {
  remove(): void;
}

export interface BlockOnPage extends Removable {
  /** Adds a piece at the end. */
  add(text: string, style: Style): Removable;
  /** Says how high it is, in rows, as far as that can be thought before it is seen. */
  estimate(rows: number): void;
}

/** What it is written on. */
export interface Paper {
  /** Adds a block at the end; `isContinued` if it goes on with the last line of the block before. */
  begin(isContinued: boolean): BlockOnPage;
}

interface Block {
  page: BlockOnPage;
  isContinued: boolean;
  lines: number;
  units: number;
}

/** A piece of the row that is being written. */
interface Piece {
  page: Removable;
  text: string;
  style: Style;
  /** Its first cell in the row, and how many it has. */
  column: number;
  cells: number;
}

export class Sheet {
  #blocks: Block[] = [];
  /** The row that is being written. */
  #open: Piece[] = [];
  #isOpen = false;
  /** What is to be the next piece. */
  #next: { text: string; style: Style } | null = null;
  /** Of the line that is being written: whether it has its place, and whether there is something in it. */
  #isPlaced = false;
  #isEmpty = true;

  constructor(private readonly paper: Paper) {}

  draw({ from, rows, last }: Change): void {
    const kept = this.#rewind(from);
    this.#isOpen = false;
    rows.forEach(({ spans, isEnd }, at) => {
      this.#write(at === 0 ? [...kept, ...spans] : spans);
      if (isEnd) this.#endLine();
    });
    this.#flush();
    if (rows.length > 0) this.#open = [];
    this.#isOpen = true;
    this.#write(rows.length === 0 ? [...kept, ...last] : last);
    this.#flush();
    this.#estimate();
  }

  /** Takes back what changes of the row that is being written; answers with what of it is to be written again. */
  #rewind(from: number): Line {
    for (let piece = this.#open.at(-1); piece; piece = this.#open.at(-1)) {
      const isWhole = piece.column + piece.cells <= from;
      // One that is not full takes more.
      if (isWhole && piece.text.length >= PIECE_UNITS) break;
      this.#open.pop();
      this.#takeBack(piece);
      if (piece.column > from) continue;
      const text = [...piece.text].slice(0, from - piece.column).join("");
      return text ? [{ text, style: piece.style }] : [];
    }
    return [];
  }

  #takeBack({ page, text }: Piece): void {
    page.remove();
    const block = this.#blocks.at(-1);
    if (!block) return;
    block.units -= text.length;
    if (block.units > 0 || !block.isContinued) return;
    block.page.remove();
    this.#blocks.pop();
  }

  #write(spans: Line): void {
    for (const { text, style } of spans) {
      this.#isEmpty = false;
      for (let at = 0; at < text.length; ) {
        const block = this.#place();
        const next = this.#pieceOf(style);
        const room = Math.min(BLOCK_UNITS - block.units, PIECE_UNITS - next.text.length);
        const part = text.slice(at, endOf(text, at + room));
        next.text += part;
        block.units += part.length;
        at += part.length;
      }
    }
  }

  /** The piece that text of this look goes into. */
  #pieceOf(style: Style): { text: string; style: Style } {
    const { style: before, text } = this.#next ?? { style, text: "" };
    if (before !== style || text.length >= PIECE_UNITS) this.#flush();
    this.#next ??= { text: "", style };
    return this.#next;
  }

  /** The block that the line goes on in. */
  #place(): Block {
    const last = this.#blocks.at(-1);
    if (!this.#isPlaced) {
      const block = last && !isFull(last) ? last : this.#begin(false);
      block.lines += 1;
      this.#isPlaced = true;
      return block;
    }
    if (last && last.units < BLOCK_UNITS) return last;
    const block = this.#begin(true);
    block.lines = 1;
    return block;
  }

  #begin(isContinued: boolean): Block {
    this.#flush();
    this.#estimate();
    const block = { page: this.paper.begin(isContinued), isContinued, lines: 0, units: 0 };
    this.#blocks.push(block);
    return block;
  }

  #endLine(): void {
    const block = (this.#isPlaced && this.#blocks.at(-1)) || this.#place();
    // The end of a block ends its last line as well; but an empty line is only seen if something ends it.
    if (!isFull(block) || this.#isEmpty) {
      this.#next ??= { text: "", style: PLAIN };
      this.#next.text += "\n";
      block.units += 1;
    }
    this.#isPlaced = false;
    this.#isEmpty = true;
  }

  #flush(): void {
    const piece = this.#next;
    const block = this.#blocks.at(-1);
    this.#next = null;
    if (!piece || !block) return;
    const page = block.page.add(piece.text, piece.style);
    if (!this.#isOpen) return;
    const before = this.#open.at(-1);
    const column = before ? before.column + before.cells : 0;
    this.#open.push({ page, ...piece, column, cells: [...piece.text].length });
  }

  #estimate(): void {
    const block = this.#blocks.at(-1);
    block?.page.estimate(Math.max(block.lines, Math.ceil(block.units / ROW_UNITS)));
  }
}

function isFull({ lines, units }: Block): boolean {
  return lines >= BLOCK_LINES || units >= BLOCK_UNITS;
}

/** Where to cut a text, so that no letter is cut in two. */
function endOf(text: string, at: number): number {
  const isLetterCut = at < text.length && /[\ud800-\udbff]/.test(text.charAt(at - 1));
  return isLetterCut ? at + 1 : at;
}
