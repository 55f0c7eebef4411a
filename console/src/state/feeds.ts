// The feeds of the console: which list and which socket they are, and who may listen.

import { Refusal, serverNow } from "../api/client";
import { command, lastCommands, mobileLocations } from "../api/resources";
import { lacksForCommands, lacksForFleet, type Me } from "../api/rights";
import { Refused, type Feed, type Verdict } from "../live/channel";
import type { CommandMessage, Commands } from "../live/commands";
import type { Fleet, LocationMessage } from "../live/fleet";
import { session } from "./session.svelte";

/** A list of many pages is read again if it changed meanwhile; not for ever. */
const MOST_READINGS = 3;

/** All locations that are mobile, and their moves. */
export function fleetFeed(fleet: Fleet): Feed {
  return {
    path: "/ws/loci/location/",
    list: (signal) => refusedWhereFinal(() => listFleet(fleet, signal)),
    read: (message) => fleet.read(message as LocationMessage, serverNow()),
    verdict: () => verdict((me) => lacksForFleet(me) === null),
  };
}

/** Takes over the whole list; answers with the moment of its first page. */
export async function listFleet(fleet: Fleet, signal: AbortSignal): Promise<string> {
  let since = "";
  for (let reading = 1; reading <= MOST_READINGS; reading += 1) {
    const list = fleet.beginList();
    let count = 0;
    let first = "";
    for await (const { data, date } of mobileLocations(signal)) {
      first ||= date;
      count = data.count;
      for (const feature of data.features) list.add(feature);
    }
    // The oldest reading: what changed since the first of them is asked of the socket.
    since ||= first;
    // One that was removed while pages were turned moves others to a page that was read before.
    if (list.count() === count || reading === MOST_READINGS) {
      if (list.count() === count) list.finish();
      break;
    }
  }
  return since;
}

/** The commands of a device, and what becomes of them. */
export function commandsFeed(device: string, commands: Commands): Feed {
  return {
    path: `/ws/controller/device/${device}/command`,
    list: (signal) =>
      refusedWhereFinal(async () => {
        const take = commands.beginList();
        const { data, date } = await lastCommands(device, signal);
        take(data.results);
        return date;
      }),
    read: (message) => {
      const ended = commands.read(message as CommandMessage);
      if (ended) void complete(device, ended.id, commands);
    },
    verdict: () => verdict((me) => lacksForCommands(me) === null),
  };
}

/** Fetches what only REST says: the exit code, and who asked for it. */
async function complete(device: string, id: string, commands: Commands): Promise<void> {
  const take = commands.beginList();
  try {
    take([await command(device, id)]);
  } catch (error) {
    // It is seen without an exit code.
    if (!(error instanceof Refusal)) throw error;
  }
}

export async function refusedWhereFinal<T>(list: () => Promise<T>): Promise<T> {
  try {
    return await list();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) throw new Refused("login");
    if (error.status === 403) {
      // The page is to know what may not be seen any more.
      await session.refresh().catch(() => undefined);
      throw new Refused("right");
    }
    if (error.status === 404) throw new Refused("gone");
    throw error;
  }
}

export async function verdict(mayListen: (me: Me) => boolean): Promise<Verdict> {
  const me = await session.refresh();
  if (!me) return "login";
  return mayListen(me) ? "yes" : "right";
}
