// A screen on the page. What is out of sight is not laid out, and all of it is text nodes.

import { colorOf, PLAIN, Screen, type Change, type Style } from "./ansi";
import { Sheet, type BlockOnPage, type Paper } from "./sheet";

const MOST_MATCHES = 2000;

/** What the browser marks, under the name that the style has. */
const MARKS = { all: "output-match", current: "output-match-current" };

interface Block {
  element: HTMLElement;
  /** Whether it goes on with the last line of the block before. */
  isContinued: boolean;
}

/** Places in the text of all blocks. */
interface Match {
  start: number;
  end: number;
}

export class OutputView {
  #screen = new Screen();
  #sheet: Sheet;
  #output = "";
  #blocks: Block[] = [];
  #lines = 0;
  #isLineOpen = false;
  #matches: Match[] = [];
  /** Where in the text of all blocks each begins. */
  #starts: number[] = [];
  #current = -1;
  #wanted = "";

  constructor(private readonly box: HTMLElement) {
    this.#sheet = new Sheet(this.#paper());
  }

  get lineCount(): number {
    return this.#lines + (this.#isLineOpen ? 1 : 0);
  }

  get matchCount(): number {
    return this.#matches.length;
  }

  /** The number of the match that is shown, from 1. */
  get currentMatch(): number {
    return this.#current + 1;
  }

  /** Shows the output so far: usually what was there, and more behind it. */
  show(output: string): void {
    if (!output.startsWith(this.#output)) this.#clear();
    const more = output.slice(this.#output.length);
    this.#output = output;
    if (!more) return;
    this.#screen.write(more);
    const change = this.#screen.take();
    this.#count(change);
    this.#sheet.draw(change);
    if (this.#wanted) this.search(this.#wanted);
  }

  #clear(): void {
    this.#screen = new Screen();
    this.#sheet = new Sheet(this.#paper());
    this.#output = "";
    this.#blocks = [];
    this.#lines = 0;
    this.#isLineOpen = false;
    this.box.replaceChildren();
  }

  #count({ from, rows, last }: Change): void {
    for (const { isEnd } of rows) if (isEnd) this.#lines += 1;
    const isRowBegun = last.length > 0 || (rows.length === 0 && from > 0);
    this.#isLineOpen = isRowBegun || rows.at(-1)?.isEnd === false;
  }

  #paper(): Paper {
    return {
      begin: (isContinued): BlockOnPage => {
        const element = document.createElement("div");
        element.className = "block";
        this.box.append(element);
        this.#blocks.push({ element, isContinued });
        return {
          add(text, style) {
            const node = nodeOf(text, style);
            element.append(node);
            return node;
          },
          // The height of a row is the style's.
          estimate: (rows) => element.style.setProperty("contain-intrinsic-block-size", `auto ${1.5 * rows}em`),
          remove: () => {
            element.remove();
            this.#blocks.pop();
          },
        };
      },
    };
  }

  /** Looks for a text, in small letters or capitals. */
  search(wanted: string): void {
    const before = this.#matches[this.#current];
    this.#wanted = wanted;
    this.#matches = wanted ? this.#find(small(wanted)) : [];
    const same = this.#matches.findIndex((it) => it.start === before?.start);
    this.#current = same >= 0 ? same : this.#matches.length > 0 ? 0 : -1;
    this.#mark();
  }

  #find(needle: string): Match[] {
    let whole = "";
    this.#starts = this.#blocks.map(({ element, isContinued }) => {
      if (!isContinued && whole) whole += "\n";
      const start = whole.length;
      whole += element.textContent ?? "";
      return start;
    });
    const matches: Match[] = [];
    const text = small(whole);
    for (let start = text.indexOf(needle); start >= 0 && matches.length < MOST_MATCHES; ) {
      const end = start + needle.length;
      matches.push({ start, end });
      start = text.indexOf(needle, end);
    }
    return matches;
  }

  /** Goes to the next match, or with -1 to the one before. */
  step(by: 1 | -1): void {
    const count = this.#matches.length;
    if (count === 0) return;
    this.#current = (this.#current + by + count) % count;
    this.#mark();
    const match = this.#matches[this.#current];
    if (!match) return;
    const range = this.#ranges([match])[0];
    if (!range) return;
    this.#reveal(range);
    // What is higher than was thought moved it away while it came into sight.
    requestAnimationFrame(() => this.#reveal(range));
  }

  #reveal(range: Range): void {
    const scroller = this.box.parentElement;
    if (!scroller) return;
    const at = range.getBoundingClientRect();
    const frame = scroller.getBoundingClientRect();
    scroller.scrollTop += at.top - frame.top - (frame.height - at.height) / 2;
    if (at.left < frame.left || at.right > frame.right) {
      scroller.scrollLeft += at.left - frame.left - (frame.width - at.width) / 2;
    }
  }

  #mark(): void {
    // Browsers without it show no marks, and go to matches all the same.
    if (!("highlights" in CSS)) return;
    const ranges = this.#ranges(this.#matches);
    const current = ranges[this.#current];
    CSS.highlights.set(MARKS.all, new Highlight(...ranges));
    CSS.highlights.set(MARKS.current, new Highlight(...(current ? [current] : [])));
  }

  /** Where matches stand on the page; they come in their order. */
  #ranges(matches: Match[]): Range[] {
    let block = -1;
    let nodes: { node: Node; start: number }[] = [];
    let at = 0;
    const find = (place: number): [Node, number] => {
      if (block < 0 || place >= (this.#starts[block + 1] ?? Infinity)) {
        block = this.#starts.findLastIndex((start) => start <= place);
        nodes = textsOf(this.#blocks[block]?.element, this.#starts[block] ?? 0);
        at = 0;
      }
      while (place >= (nodes[at + 1]?.start ?? Infinity)) at += 1;
      const { node, start } = nodes[at] ?? { node: this.box, start: place };
      return [node, place - start];
    };
    return matches.map(({ start, end }) => {
      const range = document.createRange();
      range.setStart(...find(start));
      const [node, last] = find(end - 1);
      range.setEnd(node, node === this.box ? last : last + 1);
      return range;
    });
  }

  /** Removes what it left outside of its box. */
  remove(): void {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete(MARKS.all);
    CSS.highlights.delete(MARKS.current);
  }
}

/** In small letters, each at its place: of a few the small one is longer, and these stay. */
function small(text: string): string {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  return text.replace(/[^\u0000-\u007f]/gu, (letter) => {
    const lower = letter.toLowerCase();
    return lower.length === letter.length ? lower : letter;
  }).replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The texts of a block, and where in the text of all blocks they begin. */
function textsOf(block: HTMLElement | undefined, begin: number): { node: Node; start: number }[] {
  let start = begin;
  return [...(block?.childNodes ?? [])].map((piece) => {
    const found = { node: piece.firstChild ?? piece, start };
    start += found.node.nodeValue?.length ?? 0;
    return found;
  });
}

function nodeOf(text: string, style: Style): ChildNode {
  if (style === PLAIN) return document.createTextNode(text);
  const span = document.createElement("span");
  span.append(text);
  dress(span, style);
  return span;
}

function dress(span: HTMLElement, style: Style): void {
  const { ink, paper } = style.inverse ? { ink: style.paper ?? "paper", paper: style.ink ?? "ink" } : style;
  for (const name of ["bold", "dim", "italic", "underline", "strike"] as const) {
    if (style[name]) span.classList.add(name);
  }
  paint(span, "ink", ink);
  paint(span, "paper", paper);
}

/** The sixteen are the page's, the others stand for themselves. */
function paint(span: HTMLElement, what: "ink" | "paper", color: number | string | null): void {
  if (color === null) return;
  if (color === "ink" || color === "paper") return span.classList.add(`${what}-${color}`);
  if (typeof color === "number" && color < 16) return span.classList.add(`${what}-${color}`);
  const value = typeof color === "number" ? colorOf(color) : color;
  span.style.setProperty(what === "ink" ? "color" : "background-color", value);
}
