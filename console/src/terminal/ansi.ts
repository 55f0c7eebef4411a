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

/**
 * Cells of a row. A line that is longer goes on in another row, as at the edge of a terminal: what stands in
 * the rows before is done with, so that a line without end costs no more than any other.
 */
export const WIDEST_ROW = 4096;

/** These turn text around without being seen: a name or a path could pretend to be another. */
const TURNS = /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/gu;

const ESCAPE = "\u001b";
const BLANK = " ";

/** A row that is done with. */
export interface Row {
  spans: Line;
  /** Whether its line ends with it, and does not go on in the next row. */
  isEnd: boolean;
}

/** What has become of a screen since it was asked before. */
export interface Change {
  /** How many cells at the beginning of the first row are as they were, and not told again. */
  from: number;
  /** What is done with by now; the first of them is the row that was being written before. */
  rows: Row[];
  /** The row that is being written; it is the first one where none is done with. */
  last: Line;
}

export class Screen {
  #rows: Row[] = [];
  #from = 0;
  /** The row that is being written, a character and a look each. */
  #cells: string[] = [];
  #looks: Style[] = [];
  #column = 0;
  #style = PLAIN;
  /** How many of the cells are as they were told. */
  #told = 0;
  /** The beginning of a sequence whose end has not come. */
  #rest = "";

  /** Takes more output. Nothing that came before is read again, except for a sequence that was cut. */
  write(text: string): void {
    const input = (this.#rest + text).replace(TURNS, "\ufffd");
    this.#rest = "";
    let at = 0;
    while (at < input.length) {
      CONTROL.lastIndex = at;
      const isControl = CONTROL.test(input);
      const end = isControl ? CONTROL.lastIndex - 1 : input.length;
      const isLine = input[end] === "\n" && this.#cells.length === 0 && end - at <= WIDEST_ROW;
      if (isLine) {
        this.#putLine(input.slice(at, end));
        at = end + 1;
        continue;
      }
      if (end > at) this.#put(input.slice(at, end));
      if (!isControl) return;
      const taken = this.#control(input, end);
      if (taken === null) {
        this.#rest = input.slice(end);
        return;
      }
      at = end + taken;
    }
  }

  /** Tells what has changed since it was asked before, and keeps of it no more than the row that is being written. */
  take(): Change {
    const rows = this.#rows;
    const change = {
      from: rows.length > 0 ? this.#from : this.#told,
      rows,
      last: this.#spans(this.#told),
    };
    this.#rows = [];
    this.#told = this.#cells.length;
    return change;
  }

  /** A whole line of one look, as most are: it goes through no cells. */
  #putLine(text: string): void {
    if (this.#rows.length === 0) this.#from = 0;
    this.#rows.push({ spans: text ? [{ text, style: this.#style }] : [], isEnd: true });
  }

  #put(text: string): void {
    for (const character of text) {
      if (this.#column >= WIDEST_ROW) this.#endRow(false);
      this.#told = Math.min(this.#told, this.#column);
      this.#cells[this.#column] = character;
      this.#looks[this.#column] = this.#style;
      this.#column += 1;
    }
  }

  #endRow(isEnd: boolean): void {
    if (this.#rows.length === 0) this.#from = this.#told;
    this.#rows.push({ spans: this.#spans(this.#told), isEnd });
    this.#cells.length = 0;
    this.#looks.length = 0;
    this.#column = 0;
    this.#told = 0;
  }

  /** The row from a cell on. */
  #spans(from: number): Line {
    const spans: Line = [];
    for (let at = from; at < this.#cells.length; ) {
      const style = this.#looks[at] ?? PLAIN;
      const begin = at;
      while (at < this.#cells.length && this.#looks[at] === style) at += 1;
      spans.push({ text: this.#cells.slice(begin, at).join(""), style });
    }
    return spans;
  }

  /** Obeys what stands at that place; answers with how long that is, null if its end is not there yet. */
  #control(input: string, at: number): number | null {
    switch (input[at]) {
      case "\n":
        this.#endRow(true);
        return 1;
      case "\r":
        this.#column = 0;
        return 1;
      case "\b":
        this.#column = Math.max(0, this.#column - 1);
        return 1;
      case ESCAPE:
        return this.#escape(input.slice(at, at + LONGEST_SEQUENCE));
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
    while (this.#cells.length < this.#column) {
      this.#cells.push(BLANK);
      this.#looks.push(PLAIN);
    }
  }

  #erase(what: number): void {
    if (what === 0) {
      const end = Math.min(this.#cells.length, this.#column);
      this.#cells.length = this.#looks.length = end;
      this.#told = Math.min(this.#told, end);
    } else {
      const end = what === 1 ? this.#column + 1 : this.#cells.length;
      this.#cells.fill(BLANK, 0, end);
      this.#looks.fill(PLAIN, 0, end);
      this.#told = 0;
    }
  }
}

/** Whatever is no number counts as left out. */
function numberOf(parameter: string): number | null {
  return /^[0-9]+$/.test(parameter) ? Number(parameter) : null;
}

const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/gu;
/** A whole sequence: CSI, or one with a text (OSC and its like), or any other. */
const SEQUENCE =
  /^\u001b(?:\[([0-9;:<=>?]*)[ -/]*([@-~])|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/u;
/** The beginning of one. */
const UNFINISHED = /^\u001b(?:\[[0-9;:<=>?]*[ -/]*|[\]PX^_][^\u0007\u001b]*\u001b?|[ -/]*)$/u;

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
