// Sockets for the rows of a batch that are in view and have not ended: their lines come as they are
// printed. Everything else of the batch is looked up (many/follow.ts).
//
// Bounded in number: each is a handshake, a subscription and a lease of the server's, and who scrolls
// through thousands of rows must not open one for each that went by. So they are opened for where the
// view comes to rest, and those of rows that left it are closed.

export const MOST_SOCKETS = 24;
/** The view rests when it has not changed for that long; whoever scrolls on and on waits no longer than… */
const REST_MS = 250;
/** … this. */
const PATIENCE_MS = 1000;

/** What listens to a device's commands. */
export interface Listener {
  stop(): void;
}

export class RowSockets {
  readonly #open = new Map<string, Listener>();
  #isStopped = false;
  #wanted: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitsSince: number | null = null;

  /** `listen` opens the socket of a device. */
  constructor(private readonly listen: (device: string) => Listener) {}

  /** The devices to listen to, those at the top first. */
  want(devices: string[]): void {
    // Rows may still come for a page that is left.
    if (this.#isStopped) return;
    this.#wanted = devices.slice(0, MOST_SOCKETS);
    const now = performance.now();
    this.#waitsSince ??= now;
    clearTimeout(this.#timer);
    const left = this.#waitsSince + PATIENCE_MS - now;
    this.#timer = setTimeout(() => this.#settle(), Math.max(0, Math.min(REST_MS, left)));
  }

  /** For good. */
  stop(): void {
    this.#isStopped = true;
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
      this.#open.set(device, this.listen(device));
    }
  }
}
