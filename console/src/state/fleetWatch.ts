// How the page of the map hears of the fleet: pushed, and what is not pushed looked up.

import { lacksForFleet, may, type Me } from "../api/rights";
import { Channel, type ChannelState } from "../live/channel";
import type { Fleet } from "../live/fleet";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { fleetFeed, refusedWhereFinal } from "./feeds";
import { listFleet } from "./fleetList";
import { live } from "./live.svelte";
import { pollFor } from "./polling";
import { session } from "./session.svelte";

/** New names, removals and organizations are not pushed: they are looked up. */
const LOOK_MS = 120_000;
/** Where nothing is pushed, everything is. */
const POLL_MS = 10_000;

export interface Hearing {
  /** Is told how it goes. */
  tell: (state: ChannelState) => void;
  /** Hears that the whole list was taken over. */
  listed: () => void;
  ends: AbortSignal;
}

/** Keeps the fleet as it is, in the way that the user may, until `ends`. */
export function watchFleet(fleet: Fleet, me: Me, hearing: Hearing): void {
  if (lacksForFleet(me) === null) listen(fleet, hearing);
  else if (may(me, "geo.view_location")) lookUp(fleet, hearing);
}

function listen(fleet: Fleet, { tell, listed, ends }: Hearing): void {
  const world = browserWorld("/healthz");
  const channel: Channel = new Channel(world, fleetFeed(fleet), (state) => {
    live.tell(channel, state);
    tell(state);
  });
  let isDue = false;
  const look = async (signal: AbortSignal, heard: () => void): Promise<Pace> => {
    isDue = channel.state.is !== "live" || document.hidden;
    // An organization may be gone of which nothing else tells.
    if (!isDue) {
      await Promise.all([session.refresh(), list(fleet, signal, heard)]);
      listed();
    }
    return "soon";
  };
  // What it is refused is told by the channel.
  const looks = new Poller(world, look, () => undefined, LOOK_MS);
  const forget = world.onChange(() => {
    if (isDue && !document.hidden) looks.retry();
  });
  const detach = live.attach(channel);
  ends.addEventListener("abort", () => {
    forget();
    looks.stop();
    channel.stop();
    detach();
  });
  channel.start();
  looks.start();
}

/** For who may see the list and not listen. */
function lookUp(fleet: Fleet, { tell, listed, ends }: Hearing): void {
  let isListed = false;
  const look = async (signal: AbortSignal, heard: () => void): Promise<Pace> => {
    if (isListed && document.hidden) return "soon";
    await list(fleet, signal, heard);
    isListed = true;
    listed();
    return "soon";
  };
  pollFor(look, tell, POLL_MS, ends);
}

async function list(fleet: Fleet, signal: AbortSignal, heard: () => void): Promise<void> {
  await refusedWhereFinal(() => listFleet(fleet, signal, { heard, isConnect: false }));
}
