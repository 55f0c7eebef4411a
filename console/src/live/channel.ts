// One feed, kept alive: the list, then the socket from the moment of the list on, again and again.
//
// It knows neither the page nor what it carries. What it needs of the outside is a `World`, so that
// tests have their own time, network and chance.

import { Backoff } from "./backoff";
import { Patience } from "./patience";

/** Why there is no connection at the moment. */
export type Why = "lost" | "restart" | "overload" | "silent" | "failed";

/** Whether somebody may listen: yes, only after a log-in, or not at all. */
export type Verdict = "yes" | "login" | Final;

/** Why somebody may not listen, where asking again is no use. */
export type Final = "right" | "gone";

export type ChannelState =
  | { is: "stopped" }
  | { is: "connecting" }
  | { is: "live" }
  | { is: "waiting"; until: number; why: Why }
  | { is: "offline" }
  /** The session has ended: it goes on when the same user has logged in again. */
  | { is: "ended" }
  | { is: "refused"; verdict: Final };

/** As much of a WebSocket as is used. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  close(): void;
}

/** What a channel has of the world around it. */
export interface World {
  open(path: string): Socket;
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls back once after that time, unless what it answers with is called before. */
  after(ms: number, call: () => void): () => void;
  random(): number;
  isOnline(): boolean;
  /** Calls back when the network or the page's sleep may have changed something. */
  onChange(call: () => void): () => void;
  /** Calls back when the user whose session had ended has logged in again. */
  onReturn(call: () => void): () => void;
  /** Whether the server answers. A network can die without a word, and a browser shows no pings. */
  answers(signal: AbortSignal): Promise<boolean>;
}

/** What is listened to. */
export interface Feed {
  /** The socket's path. */
  readonly path: string;
  /**
   * Takes over the present state, and answers with the moment of the list (ISO 8601, by the server's
   * clock). It throws a `Refused` where asking again is no use as things stand. Of several answers it calls `heard`
   * with each: long is only the wait for one.
   */
  list(signal: AbortSignal, heard: () => void): Promise<string>;
  /** Takes one message; those of one thing come in their order. */
  read(message: unknown): void;
  /** Whether one may listen, asked when the server closed without a reason that a browser shows. */
  verdict(): Promise<Verdict>;
}

/** The list was refused. */
export class Refused extends Error {
  constructor(readonly verdict: Exclude<Verdict, "yes">) {
    super(verdict);
  }
}

/** Close codes of the server's (RFC 6455 and its registry). */
const GOING_AWAY = 1001;
const NOT_PERMITTED = 1008;
const TRY_LATER = 1013;

/** The server pings each 20 s; who hears nothing for as long asks whether it is there. */
export const SILENCE_MS = 20_000;
const PROBE_MS = 10_000;
/** An answer with all its output, over a bad network, takes no longer than that. */
export const ANSWER_MS = 60_000;
/** A handshake is small, and so is the question why it failed. */
export const HANDSHAKE_MS = 20_000;

export class Channel {
  #state: ChannelState = { is: "stopped" };
  #backoff: Backoff;
  /** What belongs to the present attempt: all of it ends with it. */
  #attempt: AbortController | null = null;
  #socket: Socket | null = null;
  #heardAt = 0;
  #isProbing = false;
  #forget: (() => void)[] = [];

  constructor(
    private readonly world: World,
    private readonly feed: Feed,
    private readonly tell: (state: ChannelState) => void,
  ) {
    this.#backoff = new Backoff(() => world.random());
  }

  get state(): ChannelState {
    return this.#state;
  }

  start(): void {
    if (this.#state.is !== "stopped") return;
    this.#forget.push(this.world.onChange(() => this.#lookAround()));
    this.#forget.push(this.world.onReturn(() => this.#goOn()));
    void this.#connect();
  }

  stop(): void {
    this.#end();
    for (const forget of this.#forget.splice(0)) forget();
    this.#set({ is: "stopped" });
  }

  /** Does not wait any longer. */
  retry(): void {
    if (this.#state.is === "stopped" || this.#state.is === "live") return;
    this.#backoff.restart();
    void this.#connect();
  }

  #set(state: ChannelState): void {
    this.#state = state;
    this.tell(state);
  }

  /** Ends the attempt: whatever still comes of it is of no interest. */
  #end(): void {
    this.#attempt?.abort();
    this.#attempt = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  async #connect(): Promise<void> {
    this.#end();
    if (!this.world.isOnline()) return this.#set({ is: "offline" });
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#set({ is: "connecting" });
    let since: string;
    const patience = this.#patience(ANSWER_MS, attempt.signal, () => this.#wait("failed"));
    try {
      since = await this.feed.list(attempt.signal, () => patience.heard());
      patience.end();
    } catch (error) {
      patience.end();
      if (attempt.signal.aborted) return;
      if (error instanceof Refused) return this.#refuse(error.verdict);
      return this.#wait("failed");
    }
    if (attempt.signal.aborted) return;
    this.#listen(since, attempt.signal);
  }

  /** What is called when a step of an attempt has taken too long. */
  #patience(ms: number, signal: AbortSignal, lost: () => void): Patience {
    const patience = new Patience(this.world, ms, lost);
    signal.addEventListener("abort", () => patience.end());
    return patience;
  }

  #listen(since: string, signal: AbortSignal): void {
    const socket = this.world.open(`${this.feed.path}?since=${encodeURIComponent(since)}`);
    let openedAt: number | null = null;
    this.#socket = socket;
    // What comes of a socket that was left is of no interest.
    const isLeft = () => this.#socket !== socket;
    const patience = this.#patience(HANDSHAKE_MS, signal, () => this.#wait("failed"));
    socket.onopen = () => {
      if (isLeft()) return;
      patience.end();
      openedAt = this.#heardAt = this.world.now();
      this.#set({ is: "live" });
      this.#watch(signal);
    };
    socket.onmessage = ({ data }) => {
      if (isLeft()) return;
      this.#heardAt = this.world.now();
      if (typeof data === "string") this.feed.read(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (isLeft()) return;
      this.#socket = null;
      patience.end();
      if (openedAt !== null) this.#backoff.lasted(this.world.now() - openedAt);
      // A refused handshake looks like a broken network.
      if (openedAt === null || code === NOT_PERMITTED) void this.#ask(signal);
      else this.#wait(code === GOING_AWAY ? "restart" : code === TRY_LATER ? "overload" : "lost");
    };
  }

  /** Asks whether it is the right that is lacking. */
  async #ask(signal: AbortSignal): Promise<void> {
    let verdict: Verdict = "yes";
    // No answer is no refusal.
    const patience = this.#patience(HANDSHAKE_MS, signal, () => this.#wait("lost"));
    try {
      verdict = await this.feed.verdict();
    } catch {
      // The same.
    }
    patience.end();
    if (signal.aborted) return;
    if (verdict === "yes") this.#wait("lost");
    else this.#refuse(verdict);
  }

  #refuse(verdict: Exclude<Verdict, "yes">): void {
    this.#end();
    this.#set(verdict === "login" ? { is: "ended" } : { is: "refused", verdict });
  }

  /** Somebody has logged in again. */
  #goOn(): void {
    if (this.#state.is === "ended" || this.#state.is === "waiting") this.retry();
  }

  #wait(why: Why): void {
    this.#end();
    if (!this.world.isOnline()) return this.#set({ is: "offline" });
    const pause = this.#backoff.next();
    this.#set({ is: "waiting", until: this.world.now() + pause, why });
    const attempt = new AbortController();
    this.#attempt = attempt;
    const cancel = this.world.after(pause, () => void this.#connect());
    attempt.signal.addEventListener("abort", cancel);
  }

  /** Looks, as long as the attempt lasts, whether silence is only that nothing moves. */
  #watch(signal: AbortSignal): void {
    const cancel = this.world.after(SILENCE_MS, () => {
      // A connection may last for days: nothing of each look is to stay.
      signal.removeEventListener("abort", cancel);
      void this.#probe(signal).then(() => {
        if (!signal.aborted) this.#watch(signal);
      });
    });
    signal.addEventListener("abort", cancel);
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const asked = this.world.now();
    if (asked - this.#heardAt < SILENCE_MS || this.#isProbing) return;
    this.#isProbing = true;
    const limit = new AbortController();
    const cancel = this.world.after(PROBE_MS, () => limit.abort());
    const answers = await this.world.answers(limit.signal).catch(() => false);
    cancel();
    this.#isProbing = false;
    if (signal.aborted) return;
    if (answers) this.#heardAt = this.world.now();
    else if (this.#heardAt <= asked) this.#wait("silent");
  }

  /** The network came or went, or the page was asleep. */
  #lookAround(): void {
    if (!this.world.isOnline()) {
      if (this.#state.is === "refused" || this.#state.is === "ended") return;
      this.#end();
      return this.#set({ is: "offline" });
    }
    if (this.#state.is === "offline") {
      this.#backoff.restart();
      void this.#connect();
    } else if (this.#state.is === "live" && this.#attempt) {
      void this.#probe(this.#attempt.signal);
    }
  }
}
