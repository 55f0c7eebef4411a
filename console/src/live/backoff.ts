// How long to wait before the next attempt: longer each time, and never all clients at once.

export const FIRST_WAIT_MS = 500;
export const LONGEST_WAIT_MS = 30_000;

export class Backoff {
  #wait = FIRST_WAIT_MS;
  readonly #random: () => number;

  /** `random` answers with a number from 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Milliseconds until the next attempt. */
  next(): number {
    const wait = this.#wait;
    this.#wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    return wait * (0.5 + this.#random());
  }

  /**
   * A connection lasted that long. Only one that lasted begins the wait anew: a door that opens and
   * falls shut is no reason to knock more often.
   */
  lasted(durationMs: number): void {
    if (durationMs > LONGEST_WAIT_MS) this.restart();
  }

  /** Somebody asked for an attempt, or the network came back. */
  restart(): void {
    this.#wait = FIRST_WAIT_MS;
  }
}
