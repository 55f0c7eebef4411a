// The list of all locations that are mobile, taken over into the fleet.

import { readMobileLocations } from "../api/resources";
import type { Fleet } from "../live/fleet";

export interface Options {
  /** Called with each page. */
  heard: () => void;
  /** Whether a socket is going to say again what changed since. */
  isConnect: boolean;
}

/** Takes over the whole list; answers with the moment of its first page. */
export async function listFleet(
  fleet: Fleet,
  signal: AbortSignal,
  { heard, isConnect }: Options,
): Promise<string> {
  // The oldest reading: what changed since the first of them is asked of the socket.
  let since = "";
  let finish: () => void = () => undefined;
  const isWhole = await readMobileLocations(signal, () => {
    const list = fleet.beginList();
    finish = list.finish;
    return {
      take: ({ data, date }) => {
        heard();
        since ||= date;
        for (const feature of data.features) list.add(feature, isConnect ? Date.parse(since) : null);
      },
      size: list.count,
    };
  });
  // What was removed is only known of a list that came to rest.
  if (isWhole) finish();
  return since;
}
