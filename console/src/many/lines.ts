// The last line of an output, as a table shows it.

import { Screen, textOf } from "../terminal/ansi";

/** As long as the server keeps it. */
const LONGEST = 200;

/**
 * The last line that says something: what the server would say of this output. It is looked for from
 * the end, since an output may be a megabyte and comes again with each update.
 */
export function lastLineOf(output: string): string {
  let end = output.length;
  while (end > 0) {
    const begin = Math.max(output.lastIndexOf("\n", end - 1), output.lastIndexOf("\r", end - 1)) + 1;
    const line = output.slice(begin, end).trim();
    if (line) return [...line.slice(0, 2 * LONGEST)].slice(0, LONGEST).join("");
    end = begin - 1;
  }
  return "";
}

/** A line without what a terminal would obey. */
export function plainLine(line: string): string {
  // Nearly all are text and nothing else.
  if (!HIDDEN.test(line)) return line;
  const screen = new Screen();
  screen.write(line);
  return textOf(screen.take().last);
}

const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200e\u200f]/u;
