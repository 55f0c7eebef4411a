// A screen on the page: lines in blocks, so that what is out of sight is not laid out. All of it is
// text nodes.

import { colorOf, PLAIN, Screen, textOf, type Line, type Style } from "./ansi";

const BLOCK = 200;
const MOST_MATCHES = 2000;

/** What the browser marks, under the name that the style has. */
const MARKS = { all: "output-match", current: "output-match-current" };

interface Match {
  line: number;
  start: number;
  end: number;
}

export class OutputView {
  #screen = new Screen();
  #output = "";
  #elements: HTMLElement[] = [];
  /** How many of them are done with. */
  #done = 0;
  #matches: Match[] = [];
  #current = -1;
  #wanted = "";

  constructor(private readonly box: HTMLElement) {}

  get lineCount(): number {
    const { lines, last } = this.#screen;
    return lines.length + (last.length > 0 ? 1 : 0);
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
    this.#draw();
    if (this.#wanted) this.search(this.#wanted);
  }

  #clear(): void {
    this.#screen = new Screen();
    this.#output = "";
    this.#elements = [];
    this.#done = 0;
    this.box.replaceChildren();
  }

  #draw(): void {
    const { lines, last } = this.#screen;
    // The last line of before is now longer, or done with.
    for (let at = this.#done; at <= lines.length; at += 1) {
      const line = lines[at] ?? last;
      let element = this.#elements[at];
      if (!element) {
        element = document.createElement("div");
        element.className = "line";
        this.#elements[at] = element;
        this.#block(at).append(element);
      }
      fill(element, line);
    }
    this.#done = lines.length;
  }

  #block(line: number): HTMLElement {
    const last = this.box.lastElementChild;
    if (line % BLOCK !== 0 && last instanceof HTMLElement) return last;
    const block = document.createElement("div");
    block.className = "block";
    this.box.append(block);
    return block;
  }

  /** Looks for a text, in small letters or capitals. */
  search(wanted: string): void {
    const before = this.#matches[this.#current];
    this.#wanted = wanted;
    this.#matches = [];
    const needle = wanted.toLowerCase();
    if (needle) {
      const { lines, last } = this.#screen;
      [...lines, last].forEach((line, number) => this.#find(textOf(line), needle, number));
    }
    const same = this.#matches.findIndex(
      (it) => it.line === before?.line && it.start === before.start,
    );
    this.#current = same >= 0 ? same : this.#matches.length > 0 ? 0 : -1;
    this.#mark();
  }

  #find(text: string, needle: string, line: number): void {
    const lower = text.toLowerCase();
    // Of a few letters the small one is longer: then places are not those of the text.
    if (lower.length !== text.length) return;
    let start = lower.indexOf(needle);
    while (start >= 0 && this.#matches.length < MOST_MATCHES) {
      const end = start + needle.length;
      this.#matches.push({ line, start, end });
      start = lower.indexOf(needle, end);
    }
  }

  /** Goes to the next match, or with -1 to the one before. */
  step(by: 1 | -1): void {
    const count = this.#matches.length;
    if (count === 0) return;
    this.#current = (this.#current + by + count) % count;
    this.#mark();
    const match = this.#matches[this.#current];
    if (match) this.#elements[match.line]?.scrollIntoView({ block: "center" });
  }

  #mark(): void {
    // Browsers without it show no marks, and go to matches all the same.
    if (!("highlights" in CSS)) return;
    const ranges = this.#matches.flatMap((match) => this.#rangeOf(match) ?? []);
    const current = ranges[this.#current];
    CSS.highlights.set(MARKS.all, new Highlight(...ranges));
    CSS.highlights.set(MARKS.current, new Highlight(...(current ? [current] : [])));
  }

  #rangeOf({ line, start, end }: Match): Range | null {
    const element = this.#elements[line];
    if (!element) return null;
    const range = document.createRange();
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let passed = 0;
    let hasStart = false;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const length = node.nodeValue?.length ?? 0;
      if (!hasStart && start < passed + length) {
        range.setStart(node, start - passed);
        hasStart = true;
      }
      if (hasStart && end <= passed + length) {
        range.setEnd(node, end - passed);
        return range;
      }
      passed += length;
    }
    return null;
  }

  /** Removes what it left outside of its box. */
  remove(): void {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete(MARKS.all);
    CSS.highlights.delete(MARKS.current);
  }
}

function fill(element: HTMLElement, line: Line): void {
  // An empty line is as high as any other.
  if (line.length === 0) return element.replaceChildren("\n");
  element.replaceChildren(
    ...line.map(({ text, style }) => {
      if (style === PLAIN) return document.createTextNode(text);
      const span = document.createElement("span");
      span.append(text);
      dress(span, style);
      return span;
    }),
  );
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
