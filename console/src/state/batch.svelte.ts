// A batch as its page shows it: what came of it on each device, as it comes.

import { Refusal } from "../api/client";
import { cancelBatch, getBatch, listResults, type Batch } from "../api/batches";
import { lacksForCommands, type Me } from "../api/rights";
import { Channel, Refused, type ChannelState, type Feed, type Final } from "../live/channel";
import type { CommandMessage } from "../live/commands";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { Follower, type Lookup, type ResultsPage } from "../many/follow";
import { isOpen, Results, type Row } from "../many/results";
import { reasonOf } from "../reason";
import { texts } from "../texts";
import { refusedWhereFinal, verdict } from "./feeds";
import { live } from "./live.svelte";
import { RowSockets } from "./rowSockets";

/** The table is put in order at most that often: hundreds of rows may change within a second. */
const SHOW_MS = 200;
/** Whoever wants a file does not wait longer for what is missing in it. */
const SETTLE_MS = 20_000;

export class BatchState {
  #batch = $state.raw<Batch>();
  #rows = $state.raw<Row[]>([]);
  #isWhole = $state(false);
  #isCancelling = $state(false);
  #told = $state("");
  #wrong = $state("");
  #refused = $state<Final | null>(null);

  readonly #results = new Results();
  readonly #follower: Follower;
  readonly #poller: Poller;
  readonly #sockets: RowSockets | null;
  #inView: string[] = [];
  #showing: ReturnType<typeof setTimeout> | undefined;
  #heard: () => void = () => undefined;
  #detach: () => void = () => undefined;

  constructor(
    me: Me,
    private readonly id: string,
  ) {
    this.#follower = new Follower(this.#results, this.#lookup(), () => this.#showSoon());
    const isLive = lacksForCommands(me) === null;
    this.#poller = new Poller(
      browserWorld("/healthz"),
      (signal, heard) => {
        this.#heard = heard;
        return this.#look(signal);
      },
      (state) => this.#tell(state, isLive),
    );
    this.#sockets = isLive
      ? new RowSockets((device) => {
          // Whether it is connected is of no interest here: what it does not bring is looked up.
          const channel = new Channel(browserWorld("/healthz"), this.#feedOf(device), () => undefined);
          channel.start();
          return channel;
        })
      : null;
  }

  get batch(): Batch | undefined {
    return this.#batch;
  }

  /** By name, as people count: 2 before 10. */
  get rows(): Row[] {
    return this.#rows;
  }

  /** Whether all rows are there. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get isCancelling(): boolean {
    return this.#isCancelling;
  }

  /** What came of what was done last. */
  get told(): string {
    return this.#told;
  }

  get wrong(): string {
    return this.#wrong;
  }

  /** Why it may not be seen, if so. */
  get refused(): Final | null {
    return this.#refused;
  }

  start(): void {
    this.#detach = live.attach(this.#poller);
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
    this.#sockets?.stop();
    clearTimeout(this.#showing);
    this.#detach();
    live.poll(false);
  }

  /** The rows that somebody sees at the moment. */
  see(rows: Row[]): void {
    this.#inView = rows.map((it) => it.id);
    this.#listen();
  }

  async cancel(): Promise<void> {
    this.#isCancelling = true;
    this.#wrong = this.#told = "";
    try {
      this.#batch = await cancelBatch(this.id);
      this.#told = texts.batch.cancelled;
    } catch (error) {
      // It ended while the button was pressed.
      if (error instanceof Refusal && error.status === 409) this.#told = texts.batch.wasOver;
      else this.#wrong = reasonOf(error);
    } finally {
      this.#isCancelling = false;
    }
    this.#poller.retry();
  }

  /** All rows with everything that can be known of them now, and the batch as it is now: for a file. */
  async settled(): Promise<Row[]> {
    const signal = AbortSignal.timeout(SETTLE_MS);
    try {
      await this.#follower.settle(signal);
      this.#batch = await refusedWhereFinal(() => getBatch(this.id, signal));
    } catch (error) {
      // Without a network there is a file all the same, of what is shown.
      if (!(error instanceof Refusal || error instanceof Refused || error instanceof DOMException)) throw error;
    }
    this.#show();
    return this.#rows;
  }

  #feedOf(device: string): Feed {
    return {
      path: `/ws/controller/device/${device}/command`,
      // There is nothing to ask for: the list is the batch's. Whatever came of it changed after it was
      // made, so a socket begins with how things stand.
      list: () => Promise.resolve(this.#batch?.created ?? new Date().toISOString()),
      read: (message) => {
        if (this.#results.read(message as CommandMessage)) this.#showSoon();
      },
      verdict: () => verdict((me) => lacksForCommands(me) === null),
    };
  }

  async #look(signal: AbortSignal): Promise<Pace> {
    // Its counts are those of the rows; only what does not change is taken from it.
    this.#batch ??= await refusedWhereFinal(() => getBatch(this.id, signal));
    const turn = await this.#follower.turn(signal);
    if (this.#isWhole !== this.#follower.isWhole) this.#show();
    if (turn === "over") return "rarely";
    return turn === "news" ? "soon" : "later";
  }

  #lookup(): Lookup {
    const read = (page: Parameters<typeof listResults>[1], signal: AbortSignal) =>
      refusedWhereFinal(async (): Promise<ResultsPage> => {
        try {
          const { data } = await listResults(this.id, page, signal);
          this.#heard();
          return data;
        } catch (error) {
          // The list has become shorter meanwhile: the batch is there all the same.
          const isBeyond = error instanceof Refusal && error.status === 404 && page.page > 1;
          throw isBeyond ? new Refusal(0, "") : error;
        }
      });
    return {
      page: (page, signal) => read({ page }, signal),
      withStatus: (status, page, signal) => read({ page, status }, signal),
      count: async (status, signal) => {
        const page = { page: 1, size: 1, ...(status ? { status } : {}) };
        return (await read(page, signal)).count;
      },
    };
  }

  #tell(state: ChannelState, isLive: boolean): void {
    live.tell(this.#poller, state);
    live.poll(!isLive && state.is === "live");
    if (state.is === "refused") {
      this.#refused = state.verdict;
      this.#sockets?.stop();
    }
  }

  #showSoon(): void {
    this.#showing ??= setTimeout(() => this.#show(), SHOW_MS);
  }

  #show(): void {
    clearTimeout(this.#showing);
    this.#showing = undefined;
    this.#isWhole = this.#follower.isWhole;
    this.#rows = this.#results.sorted();
    this.#listen();
  }

  #listen(): void {
    // While rows still come the view is another one each time.
    if (!this.#sockets || !this.#batch || !this.#isWhole) return;
    const open = this.#inView.filter((id) => {
      const row = this.#results.get(id);
      return row !== undefined && isOpen(row);
    });
    this.#sockets.want(open);
  }
}
