// Which devices are chosen to run a command on, as it stands in the address.

import { readArea, writeArea, type Area } from "../map/area";
import { idOf } from "../query";

/** Which devices a command is to run on. */
export interface ChoiceView {
  organization: string | null;
  search: string;
  /** Those that are in this rectangle of the map. */
  area: Area | null;
  /** …at locations whose names have this in them: the map is searched for those, and not for devices. */
  named: string;
  /** All that fit, these, or those that this browser keeps: too many for an address. */
  picked: "all" | "kept" | readonly string[];
  /** The batch that is run again, on the devices on which it failed. */
  again: string | null;
}

export const NO_CHOICE: ChoiceView = {
  organization: null,
  search: "",
  area: null,
  named: "",
  picked: [],
  again: null,
};

/** More do not go into an address. */
export const MOST_PICKED = 100;

/** Reads what {@link writeChoice} writes. */
export function readChoice(query: URLSearchParams): ChoiceView {
  const devices = query.get("devices");
  const ids = (devices ?? "").split(",").map(idOf);
  return {
    organization: idOf(query.get("org")),
    search: query.get("q") ?? "",
    area: readArea(query.get("area")),
    named: query.get("named") ?? "",
    picked: devices === "all" || devices === "kept" ? devices : ids.filter((id) => id !== null),
    again: idOf(query.get("again")),
  };
}

export function writeChoice({ organization, search, area, named, picked, again }: ChoiceView): URLSearchParams {
  const query = new URLSearchParams();
  if (again) query.set("again", again);
  if (organization) query.set("org", organization);
  if (search) query.set("q", search);
  if (area) query.set("area", writeArea(area));
  if (area && named) query.set("named", named);
  if (typeof picked === "string") query.set("devices", picked);
  else if (picked.length > 0) query.set("devices", picked.join(","));
  return query;
}
