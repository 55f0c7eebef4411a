// The feeds of the console: which list and which socket they are, and who may listen.

import { Refusal, serverNow } from "../api/client";
import { command, lastCommands } from "../api/resources";
import { lacksForCommands, lacksForFleet, type Me } from "../api/rights";
import { Refused, type Feed, type Verdict } from "../live/channel";
import type { CommandMessage, Commands } from "../live/commands";
import type { Fleet, LocationMessage } from "../live/fleet";
import { listFleet } from "./fleetList";
import { session } from "./session.svelte";

/** All locations that are mobile, and their moves. */
export function fleetFeed(fleet: Fleet): Feed {
  return {
    path: "/ws/loci/location/",
    list: (signal, heard) =>
      refusedWhereFinal(() => listFleet(fleet, signal, { heard, isConnect: true })),
    read: (message) => fleet.read(message as LocationMessage, serverNow()),
    verdict: () => verdict((me) => lacksForFleet(me) === null),
  };
}

/** The commands of a device, and what becomes of them. */
export function commandsFeed(device: string, commands: Commands): Feed {
  return {
    path: `/ws/controller/device/${device}/command`,
    list: (signal, heard) =>
      refusedWhereFinal(() => listCommands(device, commands, signal, heard)),
    read: (message) => {
      const ended = commands.read(message as CommandMessage);
      if (ended) void complete(device, ended.id, commands);
    },
    verdict: () => verdict((me) => lacksForCommands(me) === null),
  };
}

/**
 * Takes over the newest commands of a device, and what became of those that are known and not among them;
 * answers with the moment of the list.
 */
export async function listCommands(
  device: string,
  commands: Commands,
  signal: AbortSignal,
  heard: () => void,
): Promise<string> {
  const take = commands.beginList();
  const { data, date } = await lastCommands(device, signal);
  heard();
  take(data.results);
  for (const id of commands.beyond(data.results)) {
    await askFor(device, id, commands, signal);
    heard();
  }
  return date;
}

/** Takes over one command; one that is not there any more goes. */
export async function askFor(
  device: string,
  id: string,
  commands: Commands,
  signal?: AbortSignal,
): Promise<void> {
  const take = commands.beginList();
  try {
    take([await command(device, id, signal)]);
  } catch (error) {
    if (!(error instanceof Refusal && error.status === 404)) throw error;
    commands.remove(id);
  }
}

/** Fetches what only REST says: the exit code, and who asked for it. */
async function complete(device: string, id: string, commands: Commands): Promise<void> {
  try {
    await askFor(device, id, commands);
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
