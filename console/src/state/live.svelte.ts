// The state of the connection of the page that is shown, for the place where it is always in view.

import { Refusal } from "../api/client";
import type { ChannelState } from "../live/channel";
import { Pulse, type PulseState } from "../live/pulse";
import { browserWorld } from "../live/world";
import { session } from "./session.svelte";

/** What brings the page its news: a channel, or what looks it up. */
interface Source {
  retry(): void;
}

/** Whether the server answers, and on the way whether the session is still there. */
async function answers(signal: AbortSignal): Promise<boolean> {
  try {
    await session.refresh(signal);
    return true;
  } catch (error) {
    // A refusal is an answer, too.
    return error instanceof Refusal && error.status > 0 && error.status < 500;
  }
}

class Live {
  #state = $state.raw<ChannelState | PulseState>({ is: "stopped" });
  #source: Source | null = null;
  /** Beats as long as no page listens to anything. */
  #pulse = new Pulse({ ...browserWorld("/healthz"), answers }, (state) => this.#set(state));
  #isWatched = false;
  /** Seconds until the next attempt. */
  #seconds = $state(0);
  #isPolled = $state(false);
  #timer: ReturnType<typeof setInterval> | undefined;

  get state(): ChannelState | PulseState {
    // Nothing is live for who is logged out, whatever still goes on behind the log-in.
    return session.state.is === "ended" ? { is: "ended" } : this.#state;
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
    if (!this.#source) this.#pulse.start();
    return () => {
      this.#isWatched = false;
      this.#pulse.stop();
      // Nobody counts for whom there is nothing to see.
      this.#set({ is: "stopped" });
    };
  }

  /** The page shows what this brings. */
  attach(source: Source): () => void {
    this.#source = source;
    this.#pulse.stop();
    return () => {
      if (this.#source !== source) return;
      this.#source = null;
      this.#set({ is: "stopped" });
      if (this.#isWatched) this.#pulse.start();
    };
  }

  tell(source: Source, state: ChannelState): void {
    if (this.#source === source) this.#set(state);
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
    if (this.#source) this.#source.retry();
    else this.#pulse.retry();
  }
}

export const live = new Live();
