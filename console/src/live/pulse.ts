// Whether the server answers, for pages that listen to nothing.

import { Backoff } from "./backoff";
import type { ChannelState, World } from "./channel";

/** As with the server's own pings. */
export const BEAT_MS = 20_000;
/** Who does not answer within that is not there. */
const PATIENCE_MS = 10_000;

export type PulseState = Extract<ChannelState, { is: "waiting" | "offline" }> | { is: "reached" };

export class Pulse {
  #backoff: Backoff;
  /** What belongs to the present beat, and to what follows it. */
  #beat: AbortController | null = null;
  #forget: () => void = () => undefined;

  constructor(
    private readonly world: World,
    private readonly tell: (state: PulseState) => void,
  ) {
    this.#backoff = new Backoff(() => world.random());
  }

  start(): void {
    this.stop();
    this.#forget = this.world.onChange(() => void this.#ask());
    // It is the page before that knows; a doubt is told when there is one.
    this.tell({ is: "reached" });
    void this.#ask();
  }

  stop(): void {
    this.#forget();
    this.#beat?.abort();
    this.#beat = null;
  }

  /** Does not wait any longer. */
  retry(): void {
    this.#backoff.restart();
    void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#beat?.abort();
    if (!this.world.isOnline()) return this.tell({ is: "offline" });
    const beat = new AbortController();
    this.#beat = beat;
    const limit = new AbortController();
    const cancel = this.world.after(PATIENCE_MS, () => limit.abort());
    const answers = await this.world.answers(limit.signal).catch(() => false);
    cancel();
    if (beat.signal.aborted) return;
    let pause = BEAT_MS;
    if (answers) {
      this.#backoff.restart();
      this.tell({ is: "reached" });
    } else {
      pause = this.#backoff.next();
      this.tell({ is: "waiting", until: this.world.now() + pause, why: "failed" });
    }
    beat.signal.addEventListener("abort", this.world.after(pause, () => void this.#ask()));
  }
}
