// What is looked up again and again, where no socket tells of it: often while something changes, rarely
// while nothing does, and later each time when the server does not answer.

import { Backoff } from "./backoff";
import { ANSWER_MS, Refused, type ChannelState, type World } from "./channel";
import { Patience } from "./patience";

/** How soon the next turn is worthwhile. */
export type Pace = "soon" | "later" | "rarely";

export const SOON_MS = 1000;
export const LATEST_MS = 10_000;
export const RARELY_MS = 30_000;

export class Poller {
  #state: ChannelState = { is: "stopped" };
  #backoff: Backoff;
  #pause: number;
  /** What belongs to the present turn and to the pause behind it. */
  #turn: AbortController | null = null;
  #forget: (() => void)[] = [];

  constructor(
    private readonly world: World,
    /** Of several answers it calls `heard` with each: long is only the wait for one. */
    private readonly look: (signal: AbortSignal, heard: () => void) => Promise<Pace>,
    private readonly tell: (state: ChannelState) => void,
    /** How soon "soon" is. */
    private readonly soonMs = SOON_MS,
  ) {
    this.#backoff = new Backoff(() => world.random());
    this.#pause = soonMs;
  }

  get state(): ChannelState {
    return this.#state;
  }

  start(): void {
    if (this.#state.is !== "stopped") return;
    this.#forget.push(this.world.onChange(() => this.#lookAround()));
    this.#forget.push(this.world.onReturn(() => this.#goOn()));
    this.#set({ is: "connecting" });
    void this.#go();
  }

  stop(): void {
    this.#turn?.abort();
    this.#turn = null;
    for (const forget of this.#forget.splice(0)) forget();
    this.#set({ is: "stopped" });
  }

  /** Does not wait any longer: something was done, or somebody asks. */
  retry(): void {
    if (this.#state.is === "stopped" || this.#state.is === "refused") return;
    this.#backoff.restart();
    this.#pause = this.soonMs;
    void this.#go();
  }

  #set(state: ChannelState): void {
    this.#state = state;
    this.tell(state);
  }

  async #go(): Promise<void> {
    this.#turn?.abort();
    const turn = new AbortController();
    this.#turn = turn;
    if (!this.world.isOnline()) return this.#set({ is: "offline" });
    if (["waiting", "offline", "ended"].includes(this.#state.is)) this.#set({ is: "connecting" });
    let pace: Pace;
    const patience = new Patience(this.world, ANSWER_MS, () => this.#giveUp());
    turn.signal.addEventListener("abort", () => patience.end());
    try {
      pace = await this.look(turn.signal, () => patience.heard());
      patience.end();
    } catch (error) {
      patience.end();
      if (turn.signal.aborted) return;
      if (error instanceof Refused) return this.#refuse(error.verdict);
      return this.#wait(turn.signal);
    }
    if (turn.signal.aborted) return;
    this.#backoff.restart();
    if (this.#state.is !== "live") this.#set({ is: "live" });
    this.#after(this.#pauseOf(pace), turn.signal);
  }

  #refuse(verdict: Refused["verdict"]): void {
    this.#set(verdict === "login" ? { is: "ended" } : { is: "refused", verdict });
  }

  /** Not all who look at the same at once, either. */
  #pauseOf(pace: Pace): number {
    if (pace === "later") this.#pause = Math.max(this.soonMs, Math.min(this.#pause * 1.5, LATEST_MS));
    else this.#pause = this.soonMs;
    const pause = pace === "rarely" ? RARELY_MS : this.#pause;
    return pause * (0.9 + 0.2 * this.world.random());
  }

  /** Nothing came of the turn for too long. */
  #giveUp(): void {
    this.#turn?.abort();
    const turn = new AbortController();
    this.#turn = turn;
    this.#wait(turn.signal);
  }

  #wait(signal: AbortSignal): void {
    if (!this.world.isOnline()) return this.#set({ is: "offline" });
    const pause = this.#backoff.next();
    this.#set({ is: "waiting", until: this.world.now() + pause, why: "failed" });
    this.#after(pause, signal);
  }

  #after(ms: number, signal: AbortSignal): void {
    signal.addEventListener("abort", this.world.after(ms, () => void this.#go()));
  }

  /** Somebody has logged in again. */
  #goOn(): void {
    if (this.#state.is === "ended" || this.#state.is === "waiting") this.retry();
  }

  /** The network came or went, or the page was asleep. */
  #lookAround(): void {
    if (this.#state.is === "refused" || this.#state.is === "ended") return;
    if (!this.world.isOnline()) {
      this.#turn?.abort();
      return this.#set({ is: "offline" });
    }
    // A turn that is on its way goes on.
    if (this.#state.is === "offline" || this.#state.is === "waiting") this.retry();
  }
}
