// The state of the connection of the page that is shown, for the place where it is always in view.

import type { Channel, ChannelState } from "../live/channel";
import { Pulse, type PulseState } from "../live/pulse";
import { browserWorld } from "../live/world";

class Live {
  #state = $state.raw<ChannelState | PulseState>({ is: "stopped" });
  #channel: Channel | null = null;
  /** Beats as long as no page listens to anything. */
  #pulse = new Pulse(browserWorld("/healthz"), (state) => this.#set(state));
  #isWatched = false;
  /** Seconds until the next attempt. */
  #seconds = $state(0);
  #isPolled = $state(false);
  #timer: ReturnType<typeof setInterval> | undefined;

  get state(): ChannelState | PulseState {
    return this.#state;
  }

  get seconds(): number {
    return this.#seconds;
  }

  /** Looked up from time to time, for who may not listen. */
  get isPolled(): boolean {
    return this.#isPolled;
  }

  /** Somebody looks at it, until what this answers with is called. */
  watch(): () => void {
    this.#isWatched = true;
    if (!this.#channel) this.#pulse.start();
    return () => {
      this.#isWatched = false;
      this.#pulse.stop();
    };
  }

  /** The page shows what this channel brings. */
  attach(channel: Channel): () => void {
    this.#channel = channel;
    this.#pulse.stop();
    return () => {
      if (this.#channel !== channel) return;
      this.#channel = null;
      this.#set({ is: "stopped" });
      if (this.#isWatched) this.#pulse.start();
    };
  }

  tell(channel: Channel, state: ChannelState): void {
    if (this.#channel === channel) this.#set(state);
  }

  #set(state: ChannelState | PulseState): void {
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
    if (this.#channel) this.#channel.retry();
    else this.#pulse.retry();
  }
}

export const live = new Live();
