// What is attached to something that is administered, as it is read and written below it.

import { may, rightTo, type Action, type Me, type Model } from "../api/rights";
import { reasonOf } from "../reason";
import { Sending } from "../state/sending.svelte";

export class AttachedState<T> {
  #items = $state.raw<T[]>([]);
  #isRead = $state(false);
  #unread = $state("");
  readonly #sending = new Sending();

  constructor(
    private readonly list: () => Promise<T[]>,
    private readonly signal: AbortSignal,
  ) {}

  get items(): T[] {
    return this.#items;
  }

  /** Whether it is known what is attached. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Why something did not work. */
  get problem(): string {
    return this.#sending.problem || this.#unread;
  }

  get isBusy(): boolean {
    return this.#sending.isBusy;
  }

  async read(): Promise<void> {
    try {
      this.#items = await this.list();
      this.#isRead = true;
      this.#unread = "";
    } catch (error) {
      if (!this.signal.aborted) this.#unread = reasonOf(error);
    }
  }

  /** Does something to it, and looks what is attached then. */
  async write(work: () => Promise<unknown>): Promise<void> {
    await this.#sending.send(async () => {
      try {
        await work();
      } finally {
        await this.read();
      }
    });
  }
}

/** Says of each action whether a user may do it to what is of this kind. */
export function rightsOn(me: () => Me, model: Model): (action: Action) => boolean {
  return (action) => may(me(), rightTo(action, model));
}
