// The list of batches, newest first, and how far they are.

import { listBatches, type Batch, type BatchStatus } from "../api/batches";
import type { Final } from "../live/channel";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { refusedWhereFinal } from "./feeds";
import { live } from "./live.svelte";

export class BatchesState {
  #batches = $state.raw<Batch[]>([]);
  #count = $state<number>();
  #pages = $state(1);
  #refused = $state<Final | null>(null);
  #filter: { organization: string | null; status: BatchStatus | null } | null = null;
  readonly #poller = new Poller(
    browserWorld("/healthz"),
    (signal, heard) => this.#look(signal, heard),
    (state) => {
      live.tell(this.#poller, state);
      live.poll(state.is === "live");
      if (state.is === "refused") this.#refused = state.verdict;
    },
  );
  #detach: () => void = () => undefined;

  get batches(): Batch[] {
    return this.#batches;
  }

  /** How many fit in all; not known at first. */
  get count(): number | undefined {
    return this.#count;
  }

  get refused(): Final | null {
    return this.#refused;
  }

  start(): void {
    this.#detach = live.attach(this.#poller);
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
    this.#detach();
    live.poll(false);
  }

  filter(organization: string | null, status: BatchStatus | null): void {
    const isFirst = this.#filter === null;
    this.#filter = { organization, status };
    this.#pages = 1;
    if (!isFirst) this.#poller.retry();
  }

  /** Shows a page more. */
  more(): void {
    this.#pages += 1;
    this.#poller.retry();
  }

  async #look(signal: AbortSignal, heard: () => void): Promise<Pace> {
    const filter = this.#filter ?? { organization: null, status: null };
    const found = new Map<string, Batch>();
    let count = 0;
    for (let page = 1; page <= this.#pages; page += 1) {
      const answer = await refusedWhereFinal(() => listBatches(page, filter, signal));
      heard();
      count = answer.count;
      // One that came meanwhile moves others to the next page.
      for (const batch of answer.results) found.set(batch.id, batch);
      if (answer.next === null) break;
    }
    const batches = [...found.values()];
    const isNews = JSON.stringify(batches) !== JSON.stringify(this.#batches);
    if (isNews) this.#batches = batches;
    this.#count = count;
    return isNews ? "soon" : "later";
  }
}
