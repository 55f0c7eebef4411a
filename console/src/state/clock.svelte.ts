// A moment that everything that says "… ago" shares.

import { serverNow } from "../api/client";

class Clock {
  #now = $state(serverNow());

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.#now = serverNow();
    }, 1000);
    document.addEventListener("visibilitychange", () => {
      this.#now = serverNow();
    });
  }

  /** Milliseconds by the server's clock, renewed each second. */
  get now(): number {
    return this.#now;
  }
}

export const clock = new Clock();
