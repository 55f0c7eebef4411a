// The results of a batch as files.

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

/** Gives somebody a file that was made here. */
export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
