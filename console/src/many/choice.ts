// Which devices are chosen, of those that search, organization and a rectangle of the map leave.

import type { Device } from "../api/resources";

/** What is chosen: all that fit, whatever that is at the time, or these. */
export type Picked = "all" | ReadonlySet<string>;

export interface Wanted {
  search: string;
  organization: string | null;
  /** Those in the rectangle; null where there is none. */
  among: ReadonlySet<string> | null;
}

export type Candidate = Pick<
  Device,
  "id" | "name" | "organization" | "mac_address" | "management_ip" | "addresses" | "last_ip"
>;

/** Those that are wanted, in the order in which they came. */
export function fitting<T extends Candidate>(devices: T[], wanted: Wanted): T[] {
  const search = wanted.search.trim().toLocaleLowerCase();
  return devices.filter(
    (it) =>
      (wanted.organization === null || it.organization === wanted.organization) &&
      (wanted.among === null || wanted.among.has(it.id)) &&
      (!search || says(it, search)),
  );
}

function says({ name, addresses, management_ip, last_ip, mac_address }: Candidate, search: string) {
  const texts = [name, ...addresses, management_ip, last_ip, mac_address];
  return texts.some((text) => text?.toLocaleLowerCase().includes(search));
}

/** The devices that a command would be run on. What is chosen and not there any more is left out. */
export function chosenOf<T extends Candidate>(all: T[], shown: T[], picked: Picked): T[] {
  return picked === "all" ? shown : all.filter(({ id }) => picked.has(id));
}

export function isPicked(id: string, picked: Picked): boolean {
  return picked === "all" || picked.has(id);
}

/** One is taken or left. Of "all" it leaves those that were shown. */
export function toggled(id: string, shown: Candidate[], picked: Picked): ReadonlySet<string> {
  const next = new Set(picked === "all" ? shown.map((it) => it.id) : picked);
  if (!next.delete(id)) next.add(id);
  return next;
}

/** From one to another of those that are shown, as the shift key does it. */
export function ranged(
  from: string,
  to: string,
  shown: Candidate[],
  picked: Picked,
): ReadonlySet<string> {
  const ids = shown.map((it) => it.id);
  const [first = -1, last = -1] = [ids.indexOf(from), ids.indexOf(to)].sort((a, b) => a - b);
  if (first < 0) return toggled(to, shown, picked);
  return new Set([...(picked === "all" ? ids : picked), ...ids.slice(first, last + 1)]);
}

/** All that are shown are taken or left; what is chosen beside them stays as it is. */
export function withShown(shown: Candidate[], picked: Picked, isTaken: boolean): Picked {
  const ids = new Set(shown.map((it) => it.id));
  const others = picked === "all" ? [] : [...picked].filter((id) => !ids.has(id));
  if (!isTaken) return new Set(others);
  return others.length === 0 ? "all" : new Set([...others, ...ids]);
}

/** The box above the list: checked, empty, or in between. */
export function boxOf(shown: Candidate[], picked: Picked): "all" | "some" | "none" {
  const count = shown.filter(({ id }) => isPicked(id, picked)).length;
  if (count === 0) return "none";
  return count === shown.length ? "all" : "some";
}
