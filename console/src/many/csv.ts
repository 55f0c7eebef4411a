// Rows as a file for a spreadsheet.

/** A field of a file, with its name in the head of it. */
export interface Column<T> {
  name: string;
  value: (row: T) => string | number | null;
}

/**
 * CSV (RFC 4180) for people and for their spreadsheets. Names and output come from devices: none of it
 * may become a formula when the file is opened, so what would be taken for one gets an apostrophe.
 */
export function csv<T>(columns: Column<T>[], rows: Iterable<T>): string {
  const lines = [columns.map(({ name }) => cell(name)).join(",")];
  for (const row of rows) lines.push(columns.map(({ value }) => cell(value(row))).join(","));
  // A spreadsheet takes a file without the mark for one of its own old character set.
  return `\ufeff${lines.join("\r\n")}\r\n`;
}

function cell(value: string | number | null): string {
  if (value === null) return "";
  // A number is ours: one below zero is no formula.
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n;\t]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What a spreadsheet evaluates, also behind blanks, which some leave out, and in full width. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/u;
