// Looking a page's news up from time to time, for who may see it and not listen.

import type { ChannelState } from "../live/channel";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { live } from "./live.svelte";

/** Looks each `every` milliseconds and tells how that goes, also to where the connection is in view, until `ends`. */
export function pollFor(
  look: (signal: AbortSignal, heard: () => void) => Promise<Pace>,
  tell: (state: ChannelState) => void,
  every: number,
  ends: AbortSignal,
): void {
  const poller: Poller = new Poller(
    browserWorld("/healthz"),
    look,
    (state) => {
      live.tell(poller, state);
      live.poll(state.is === "live");
      tell(state);
    },
    every,
  );
  const detach = live.attach(poller);
  ends.addEventListener("abort", () => {
    poller.stop();
    detach();
    live.poll(false);
  });
  poller.start();
}
