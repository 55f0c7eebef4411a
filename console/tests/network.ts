// The network between a browser and the server: it can be cut, and joined again.

import { connect, createServer, type Server as Listener, type Socket } from "node:net";

import { freePort } from "./server.ts";

export class Network {
  readonly #open = new Set<Socket>();
  #listener: Listener | null = null;

  private constructor(
    readonly port: number,
    private readonly to: number,
  ) {}

  static async to(port: number): Promise<Network> {
    const network = new Network(await freePort(), port);
    await network.join();
    return network;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async join(): Promise<void> {
    const listener = createServer((near) => {
      const far = connect(this.to, "127.0.0.1");
      for (const [one, other] of [[near, far], [far, near]] as const) {
        this.#open.add(one);
        one.pipe(other);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#open.delete(one);
          other.destroy();
        });
      }
    });
    this.#listener = listener;
    await new Promise<void>((resolve) => listener.listen(this.port, "127.0.0.1", resolve));
  }

  /** Everything that is open breaks, and nothing new is let in. */
  async cut(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    const closed = new Promise((resolve) => listener?.close(resolve));
    for (const socket of this.#open) socket.destroy();
    if (listener) await closed;
  }
}
