// The world as a browser has it.

import type { Socket, World } from "./channel";

const returns = new Set<() => void>();

/** The user whose session had ended has logged in again: what ended with it begins anew. */
export function tellReturn(): void {
  for (const call of [...returns]) call();
}

/** `health` is a path that answers whoever asks, as long as the server lives. */
export function browserWorld(health: string): World {
  return {
    open(path) {
      const url = new URL(path, location.href);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      return new WebSocket(url) as Socket;
    },
    now: () => performance.now(),
    after(ms, call) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
    random: () => Math.random(),
    isOnline: () => navigator.onLine,
    onChange(call) {
      const stop = new AbortController();
      for (const event of ["online", "offline"]) {
        window.addEventListener(event, call, { signal: stop.signal });
      }
      document.addEventListener("visibilitychange", call, { signal: stop.signal });
      return () => stop.abort();
    },
    onReturn(call) {
      returns.add(call);
      return () => returns.delete(call);
    },
    async answers(signal) {
      const answer = await fetch(health, { signal, cache: "no-store" });
      return answer.ok;
    },
  };
}
