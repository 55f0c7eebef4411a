// How long something may take without a word: a network can die without one, and then neither a request
// nor a handshake ends by itself for as long as TCP and the browser wait.

import type { World } from "./channel";

export class Patience {
  #cancel: () => void;
  #isOver = false;

  /** `lost` is called once, if for that long nothing is heard, until it ends. */
  constructor(
    private readonly world: World,
    private readonly ms: number,
    private readonly lost: () => void,
  ) {
    this.#cancel = world.after(ms, lost);
  }

  /** It goes on: the time begins anew. */
  heard(): void {
    if (this.#isOver) return;
    this.#cancel();
    this.#cancel = this.world.after(this.ms, this.lost);
  }

  end(): void {
    this.#isOver = true;
    this.#cancel();
  }
}
