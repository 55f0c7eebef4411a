// Sockets for the rows of a batch that are in view and have not ended: their lines come as they are
// printed. Everything else of the batch is looked up (many/follow.ts).
//
// Bounded in number: each is a handshake, a subscription and a lease of the server's, and who scrolls
// through thousands of rows must not open one for each that went by. So they are opened for where the
// view comes to rest, and those of rows that left it are closed.

import { Channel, type Feed } from "../live/channel";
import type { CommandMessage } from "../live/commands";
import { browserWorld } from "../live/world";
import { lacksForCommands } from "../api/rights";
import { verdict } from "./feeds";

export const MOST_SOCKETS = 24;
/** The view rests when it has not changed for that long; whoever scrolls on and on waits no longer than… */
const REST_MS = 250;
/** … this. */
const PATIENCE_MS = 1000;

export class RowSockets {
  readonly #open = new Map<string, Channel>();
  #wanted: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitsSince: number | null = null;

  constructor(
    /** The moment (ISO 8601) since which nothing is to be missed. */
    private readonly since: () => string,
    private readonly read: (message: CommandMessage) => void,
  ) {}

  /** The devices to listen to, those at the top first. */
  want(devices: string[]): void {
    this.#wanted = devices.slice(0, MOST_SOCKETS);
    const now = performance.now();
    this.#waitsSince ??= now;
    clearTimeout(this.#timer);
    const left = this.#waitsSince + PATIENCE_MS - now;
    this.#timer = setTimeout(() => this.#settle(), Math.max(0, Math.min(REST_MS, left)));
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const channel of this.#open.values()) channel.stop();
    this.#open.clear();
  }

  #settle(): void {
    this.#waitsSince = null;
    const wanted = new Set(this.#wanted);
    for (const [device, channel] of [...this.#open]) {
      if (wanted.has(device)) continue;
      channel.stop();
      this.#open.delete(device);
    }
    for (const device of wanted) {
      if (this.#open.has(device)) continue;
      // Whether it is connected is of no interest here: what it does not bring is looked up.
      const channel = new Channel(browserWorld("/healthz"), this.#feedOf(device), () => undefined);
      this.#open.set(device, channel);
      channel.start();
    }
  }

  #feedOf(device: string): Feed {
    return {
      path: `/ws/controller/device/${device}/command`,
      // The list is the batch's: here there is nothing to ask for.
      list: () => Promise.resolve(this.since()),
      read: (message) => this.read(message as CommandMessage),
      verdict: () => verdict((me) => lacksForCommands(me) === null),
    };
  }
}
