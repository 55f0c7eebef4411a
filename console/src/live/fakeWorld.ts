// The world of tests: time, network and chance are theirs.

import type { Socket, World } from "./channel";

/** A socket whose other end is the test. */
export class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  isClosed = false;

  constructor(readonly path: string) {}

  close(): void {
    this.isClosed = true;
  }

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

/** A world whose time passes when the test says so. */
export class FakeWorld implements World {
  time = 0;
  online = true;
  healthy = true;
  sockets: FakeSocket[] = [];
  #timers = new Set<{ at: number; call: () => void }>();
  #watchers = new Set<() => void>();
  #returns = new Set<() => void>();

  open(path: string): Socket {
    const socket = new FakeSocket(path);
    this.sockets.push(socket);
    return socket;
  }

  now(): number {
    return this.time;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.time + ms, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  random(): number {
    return 0.5;
  }

  isOnline(): boolean {
    return this.online;
  }

  onChange(call: () => void): () => void {
    this.#watchers.add(call);
    return () => this.#watchers.delete(call);
  }

  onReturn(call: () => void): () => void {
    this.#returns.add(call);
    return () => this.#returns.delete(call);
  }

  /** The same user has logged in again. */
  async logInAgain(): Promise<void> {
    for (const call of [...this.#returns]) call();
    await settled();
  }

  answers(): Promise<boolean> {
    return Promise.resolve(this.healthy);
  }

  get timers(): number {
    return this.#timers.size;
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.#timers].filter((it) => it.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.time = due.at;
      due.call();
      await settled();
    }
    this.time = end;
    await settled();
  }

  /** Until the next timer; answers with how long that was. */
  async next(): Promise<number> {
    await settled();
    const at = Math.min(...[...this.#timers].map((it) => it.at));
    const waited = at - this.time;
    if (waited !== Infinity) await this.pass(waited);
    return waited;
  }

  async change(online: boolean): Promise<void> {
    this.online = online;
    for (const watcher of [...this.#watchers]) watcher();
    await settled();
  }
}

/** Lets everything that only waits for promises run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
