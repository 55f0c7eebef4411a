// The state of the connection of the page that is shown, for the place where it is always in view.

import type { Channel, ChannelState } from "../live/channel";

class Live {
  #state = $state.raw<ChannelState>({ is: "stopped" });
  #channel: Channel | null = null;
  /** Seconds until the next attempt. */
  #seconds = $state(0);
  #isPolled = $state(false);
  #timer: ReturnType<typeof setInterval> | undefined;

  get state(): ChannelState {
    return this.#state;
  }

  get seconds(): number {
    return this.#seconds;
  }

  /** Looked up from time to time, for who may not listen. */
  get isPolled(): boolean {
    return this.#isPolled;
  }

  /** The page shows what this channel brings. */
  attach(channel: Channel): () => void {
    this.#channel = channel;
    return () => {
      if (this.#channel !== channel) return;
      this.#channel = null;
      this.tell(channel, { is: "stopped" }, true);
    };
  }

  tell(channel: Channel, state: ChannelState, isLast = false): void {
    if (this.#channel !== channel && !isLast) return;
    this.#state = state;
    clearInterval(this.#timer);
    if (state.is !== "waiting") return;
    const count = () => {
      this.#seconds = Math.max(0, Math.ceil((state.until - performance.now()) / 1000));
    };
    count();
    this.#timer = setInterval(count, 250);
  }

  poll(isPolled: boolean): void {
    this.#isPolled = isPolled;
  }

  retry(): void {
    this.#channel?.retry();
  }
}

export const live = new Live();
