// What came of a batch on each of its devices, by REST and by the devices' sockets: neither undoes what
// the other knew later.

import type { Result, ResultStatus } from "../api/batches";
import type { CommandMessage } from "../live/commands";
import { lastLineOf } from "./lines";
import { compareNames } from "./order";

/** A row of the table. */
export interface Row extends Result {
  /** The device's. */
  id: string;
}

export type Counts = Record<ResultStatus, number>;

/** How many rows there are of each status. */
export function countsOf(rows: Iterable<Pick<Result, "status">>): Counts {
  const counts = { queued: 0, "in-progress": 0, success: 0, failed: 0, skipped: 0 };
  for (const { status } of rows) counts[status] += 1;
  return counts;
}

/** What a device's result is as long as more can come of it. */
export function isOpen({ status }: Pick<Result, "status">): boolean {
  return status === "queued" || status === "in-progress";
}

/** Where in the server's order something stands, and when it was looked up last. */
interface Place {
  page: number;
  readAt: number;
}

export class Results {
  readonly #rows = new Map<string, Row>();
  /** In the order of people's counting; null when some came or went. */
  #order: string[] | null = [];
  readonly #places = new Map<string, Place>();
  readonly #byCommand = new Map<string, string>();
  /** The number of the last message of each command; numbers are those of messages at all. */
  readonly #told = new Map<string, number>();
  /** Ended, as a socket said: with what exit code, only REST says. */
  readonly #unread = new Set<string>();
  #messages = 0;
  #readings = 0;

  get size(): number {
    return this.#rows.size;
  }

  get(device: string): Row | undefined {
    return this.#rows.get(device);
  }

  all(): Row[] {
    return [...this.#rows.values()];
  }

  /** By name, as people count: 2 before 10. Thousands change often, but they seldom come or go. */
  sorted(): Row[] {
    this.#order ??= this.all()
      .sort((a, b) => compareNames(a.device_name, b.device_name) || (a.id < b.id ? -1 : 1))
      .map((it) => it.id);
    return this.#order.map((id) => this.#rows.get(id)).filter((it) => it !== undefined);
  }

  /** Whether everything has ended, and all of it is known. */
  get isOver(): boolean {
    return this.#unread.size === 0 && !this.all().some(isOpen);
  }

  /** Before REST is asked: what sockets say from here on is newer than its answer. */
  begin(): Reading {
    const begun = this.#messages;
    this.#readings += 1;
    const readAt = this.#readings;
    const listed = new Set<string>();
    const take = (results: Result[], page: number | null) => {
      let isNews = false;
      for (const result of results) {
        listed.add(result.device);
        if (page !== null) this.#places.set(result.device, { page, readAt });
        if (this.#take(result, begun)) isNews = true;
      }
      return isNews;
    };
    return {
      take,
      has: (device) => listed.has(device),
      isNewer: (row) => row.command !== null && (this.#told.get(row.command) ?? 0) > begun,
      finish: () => this.#keep(listed),
    };
  }

  /** Answers whether that was news. */
  #take(result: Result, begun: number): boolean {
    const known = this.#rows.get(result.device);
    if (result.command) this.#byCommand.set(result.command, result.device);
    if (known && isOpen(result)) {
      // What has ended does not change any more, however late an answer comes.
      const isOld = !isOpen(known) || (this.#told.get(result.command ?? "") ?? 0) > begun;
      if (isOld) return false;
    }
    if (!isOpen(result)) this.#unread.delete(result.device);
    if (known && isSame(known, result)) return false;
    if (known?.device_name !== result.device_name) this.#order = null;
    this.#rows.set(result.device, { ...result, id: result.device });
    return true;
  }

  /** Forgets what a whole reading did not bring: it is not ours to see any more. */
  #keep(listed: ReadonlySet<string>): boolean {
    let isNews = false;
    for (const [device, { command }] of [...this.#rows]) {
      if (listed.has(device)) continue;
      this.#rows.delete(device);
      this.#order = null;
      this.#places.delete(device);
      this.#unread.delete(device);
      if (command) this.#byCommand.delete(command);
      isNews = true;
    }
    return isNews;
  }

  /** Takes a message of a device's socket; answers whether it was news. */
  read({ data }: CommandMessage): boolean {
    const device = this.#byCommand.get(data.id);
    const known = device === undefined ? undefined : this.#rows.get(device);
    if (!known) return false;
    this.#messages += 1;
    this.#told.set(data.id, this.#messages);
    if (!isOpen(known)) return false;
    // On the wire what waits is in progress, too; what has printed something does not wait.
    const isWaiting = known.status === "queued" && data.status === "in-progress" && !data.output;
    const status = isWaiting ? known.status : data.status;
    const last_line = lastLineOf(data.output);
    if (status === known.status && last_line === known.last_line) return false;
    if (status === "success" || status === "failed") this.#unread.add(known.device);
    this.#rows.set(known.device, { ...known, status, last_line });
    return true;
  }

  /** Where there is something that only REST says, and has not said yet. */
  unreadPages(): number[] {
    return [...new Set(this.#pagesOf(this.#unread))];
  }

  /**
   * The pages to look up, the most doubtful first: `running` and `queued` are what the server says
   * runs and how much waits.
   */
  doubtful(running: Reading, queued: number): number[] {
    const sure = new Set(this.unreadPages());
    const waiting = new Map<number, number>();
    let known = 0;
    for (const row of this.#rows.values()) {
      const place = this.#places.get(row.id);
      if (!place) continue;
      if (row.status === "in-progress" && !running.has(row.id) && !running.isNewer(row)) {
        sure.add(place.page);
      }
      if (row.status !== "queued") continue;
      known += 1;
      waiting.set(place.page, Math.min(waiting.get(place.page) ?? Infinity, place.readAt));
    }
    if (known === queued) return [...sure];
    // Some went by unseen. Nobody says which: who was looked up longest ago is next.
    const others = [...waiting].sort((a, b) => a[1] - b[1]).map(([page]) => page);
    return [...new Set([...sure, ...others])];
  }

  #pagesOf(devices: Iterable<string>): number[] {
    const places = [...devices].map((device) => this.#places.get(device));
    return places.filter((it) => it !== undefined).map((it) => it.page);
  }
}

/** An answer of REST on its way. */
export interface Reading {
  /** Takes over a page, `null` for one of another order; answers whether it was news. */
  take(results: Result[], page: number | null): boolean;
  has(device: string): boolean;
  /** Whether a socket has told of it since. */
  isNewer(row: Row): boolean;
  /** It was whole: what was not in it is gone. */
  finish(): boolean;
}

function isSame(a: Result, b: Result): boolean {
  return (
    a.status === b.status &&
    a.last_line === b.last_line &&
    a.exit_code === b.exit_code &&
    a.command === b.command &&
    a.reason === b.reason
  );
}
