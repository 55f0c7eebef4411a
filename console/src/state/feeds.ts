// The feeds of the console: which list and which socket they are, and who may listen.

import { Refusal, serverNow } from "../api/client";
import { command, lastCommands, readMobileLocations } from "../api/resources";
import { lacksForCommands, lacksForFleet, type Me } from "../api/rights";
import { Refused, type Feed, type Verdict } from "../live/channel";
import type { CommandMessage, Commands } from "../live/commands";
import type { Fleet, LocationMessage } from "../live/fleet";
import { session } from "./session.svelte";

/** So much before `since` the server tells again, too, in milliseconds. */
const MARGIN_MS = 10_000;

/** All locations that are mobile, and their moves. */
export function fleetFeed(fleet: Fleet): Feed {
  return {
    path: "/ws/loci/location/",
    list: (signal) => refusedWhereFinal(() => listFleet(fleet, signal, true)),
    read: (message) => fleet.read(message as LocationMessage, serverNow()),
    verdict: () => verdict((me) => lacksForFleet(me) === null),
  };
}

/**
 * Takes over the whole list; answers with the moment of its first page. `isToldAgain`: a socket is opened
 * from that moment on.
 */
export async function listFleet(fleet: Fleet, signal: AbortSignal, isToldAgain: boolean): Promise<string> {
  // The oldest reading's: what changed since the first of them is asked of the socket.
  let since = "";
  let list = fleet.beginList();
  const isWhole = await readMobileLocations(signal, () => {
    list = fleet.beginList();
    return ({ data, date }) => {
      since ||= date;
      const toldAgainFrom = isToldAgain ? Date.parse(since) - MARGIN_MS : Infinity;
      for (const feature of data.features) list.add(feature, toldAgainFrom);
      return list.count();
    };
  });
  if (isWhole) list.finish();
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
        // What ran when the network went may have ended, and be older than what is listed.
        const listed = new Set(data.results.map((it) => it.id));
        for (const id of commands.running()) {
          if (!listed.has(id)) void complete(device, id, commands);
        }
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
