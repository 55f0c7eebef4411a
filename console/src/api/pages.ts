// Lists of several pages. They are the server's present state at each page, not at the first: what comes
// meanwhile moves others to the next page, where they come twice, and what goes moves others to a page that
// was read already, where nobody sees them.

import { ask, pathOf, Refusal, type Answer, type Page } from "./client";

/** A list that changes while its pages are turned is read again; not for ever. */
const MOST_READINGS = 3;

interface Counted {
  /** Of all pages. */
  count: number;
  next: string | null;
}

/** Takes the pages of one reading. */
export interface Reader<P> {
  take(answer: Answer<P>): void;
  /** How many different ones it has so far. */
  size(): number;
}

/**
 * Reads all pages, each reading from its first one on with a reader of its own; answers whether the last
 * reading was whole.
 */
export async function readPages<P extends Counted>(
  path: string,
  question: Parameters<typeof ask>[1],
  begin: () => Reader<P>,
): Promise<boolean> {
  for (let reading = 1; reading <= MOST_READINGS; reading += 1) {
    const reader = begin();
    const count = await readOnce(path, question, reader);
    if (reader.size() === count) return true;
  }
  return false;
}

/** Answers with how many there are, as all pages say; null where they do not agree, or there is one less. */
async function readOnce<P extends Counted>(
  path: string,
  question: Parameters<typeof ask>[1],
  reader: Reader<P>,
): Promise<number | null> {
  let next = path;
  let count: number | null = null;
  for (;;) {
    let answer: Answer<P>;
    try {
      answer = await ask<P>(next, question);
    } catch (error) {
      // Beyond the end: the list has become shorter. Its first page is always there.
      if (next !== path && error instanceof Refusal && error.status === 404) return null;
      throw error;
    }
    reader.take(answer);
    // One that went behind a page that was read, and hid another: as many came as there are then.
    const isSame: boolean = next === path || answer.data.count === count;
    count = isSame ? answer.data.count : null;
    if (answer.data.next === null) return count;
    next = pathOf(answer.data.next);
  }
}

/** What a list has brought so far. */
export interface Found<T> {
  rows: T[];
  /** How many there are at all. */
  count: number;
  /** Pages that came, of all readings. */
  pages: number;
}

/**
 * All rows of a list, each once. `hear` is told of each page. Where it did not come to rest, they are those
 * of all readings: rather one too many than one that nobody sees.
 */
export async function readRows<T>(
  path: string,
  question: Parameters<typeof ask>[1],
  keyOf: (row: T) => string,
  hear: (found: () => Found<T>) => void = () => undefined,
): Promise<T[]> {
  const all = new Map<string, T>();
  let read = new Map<string, T>();
  let pages = 0;
  const isWhole = await readPages<Page<T>>(path, question, () => {
    read = new Map();
    return {
      take: ({ data: { results, count } }) => {
        for (const row of results) {
          read.set(keyOf(row), row);
          all.set(keyOf(row), row);
        }
        pages += 1;
        hear(() => ({ rows: [...all.values()], count, pages }));
      },
      size: () => read.size,
    };
  });
  return [...(isWhole ? read : all).values()];
}
