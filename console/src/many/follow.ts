// How a batch of thousands is followed with what the public API offers.
//
// There is no socket for a batch: sockets are a device's. One for each of 5,000 devices is more than a
// browser opens and than an operator's share of the server; so the rows in view have sockets (see
// state/rowSockets.ts), and the rest is looked up. The list of results has an order that does not
// change (by the devices' names), but no "changed since". It can be asked for what runs, though, which
// is little at any time: the server runs a few dozen at once. So a turn asks for what runs, and for how
// many wait and how many there are in all, without their rows. Only if that does not go together with
// what is known are pages looked up: those of rows that ran and do not any more, and, where some began
// and ended between two turns, those of rows that waited. Of these a turn takes a few: the next one goes
// on. When nothing changes, turns become rare (live/poller.ts).

import type { Result, ResultStatus } from "../api/batches";
import type { Reading, Results } from "./results";

/** Pages that a turn looks up at most. */
export const PAGES_A_TURN = 6;
/** Pages of what runs that a turn looks up at most: what is beyond them comes by its own page. */
const MOST_RUNNING_PAGES = 3;
/** A list that changes while its pages are turned is read again; not for ever. */
const MOST_READINGS = 3;

/** A page of the results, and how many there are on all pages. */
export interface ResultsPage {
  count: number;
  results: Result[];
}

export interface Lookup {
  page(page: number, signal: AbortSignal): Promise<ResultsPage>;
  withStatus(status: ResultStatus, page: number, signal: AbortSignal): Promise<ResultsPage>;
  /** How many there are, without their rows. */
  count(status: ResultStatus | null, signal: AbortSignal): Promise<number>;
}

/** What a turn has found. */
export type Turn = "news" | "quiet" | "over";

export class Follower {
  #isWhole = false;

  constructor(
    private readonly results: Results,
    private readonly lookup: Lookup,
    /** Hears of each page that brought something. */
    private readonly tell: () => void,
  ) {}

  /** Whether all rows are there. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  async turn(signal: AbortSignal): Promise<Turn> {
    const total = await this.lookup.count(null, signal);
    if (!this.#isWhole || total !== this.results.size) {
      // The first time, or an organization's devices are not ours to see any more, or are again.
      await this.#readAll(signal);
      return "news";
    }
    if (this.results.isOver) return "over";
    const { running, isNews } = await this.#readRunning(signal);
    const queued = await this.lookup.count("queued", signal);
    const isMore = await this.#readDoubtful(running, queued, signal);
    return isNews || isMore ? "news" : "quiet";
  }

  /** Looks up at once what the next turns would add to what has ended. */
  async settle(signal: AbortSignal): Promise<void> {
    for (const page of this.results.unreadPages()) {
      const reading = this.results.begin();
      reading.take((await this.lookup.page(page, signal)).results, page);
    }
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; attempt <= MOST_READINGS; attempt += 1) {
      const reading = this.results.begin();
      let seen = 0;
      let count = Infinity;
      for (let page = 1; seen < count; page += 1) {
        const answer = await this.lookup.page(page, signal);
        count = answer.count;
        seen += answer.results.length;
        if (reading.take(answer.results, page)) this.tell();
        if (answer.results.length === 0) break;
      }
      if (seen !== count && attempt < MOST_READINGS) continue;
      reading.finish();
      break;
    }
    this.#isWhole = true;
    this.tell();
  }

  async #readRunning(signal: AbortSignal): Promise<{ running: Reading; isNews: boolean }> {
    const running = this.results.begin();
    let isNews = false;
    let seen = 0;
    for (let page = 1; page <= MOST_RUNNING_PAGES; page += 1) {
      const { count, results } = await this.lookup.withStatus("in-progress", page, signal);
      seen += results.length;
      if (running.take(results, null)) isNews = true;
      if (seen >= count || results.length === 0) break;
    }
    if (isNews) this.tell();
    return { running, isNews };
  }

  async #readDoubtful(running: Reading, queued: number, signal: AbortSignal): Promise<boolean> {
    let isNews = false;
    for (const page of this.results.doubtful(running, queued).slice(0, PAGES_A_TURN)) {
      const reading = this.results.begin();
      const { results } = await this.lookup.page(page, signal);
      if (!reading.take(results, page)) continue;
      isNews = true;
      this.tell();
    }
    return isNews;
  }
}
