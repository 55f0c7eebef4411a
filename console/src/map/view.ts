// What somebody looks at on the map, as it stands in the address: whoever sends that sends the view.

import { idOf } from "../query";

/** What the map shows, as far as it is in its address. */
export interface MapView {
  /** The middle and the zoom; null for wherever the fleet is. */
  at: { longitude: number; latitude: number; zoom: number } | null;
  /** The location that is chosen. */
  chosen: string | null;
  /** Whether the map goes along with it. */
  follow: boolean;
  organization: string | null;
  search: string;
  /** Whether a rectangle is being drawn, to choose what is in it. */
  isChoosing: boolean;
}

export const WHOLE_FLEET: MapView = {
  at: null,
  chosen: null,
  follow: false,
  organization: null,
  search: "",
  isChoosing: false,
};

/** Reads what {@link writeView} writes. */
export function readView(query: URLSearchParams): MapView {
  const follow = idOf(query.get("follow"));
  return {
    at: readAt(query),
    chosen: follow ?? idOf(query.get("show")),
    follow: follow !== null,
    organization: idOf(query.get("org")),
    search: query.get("q") ?? "",
    isChoosing: query.get("choose") === "1",
  };
}

export function writeView({ at, chosen, follow, organization, search, isChoosing }: MapView): URLSearchParams {
  const query = new URLSearchParams();
  // Who follows something is where that is.
  if (at && !(follow && chosen)) {
    const { latitude, longitude, zoom } = at;
    query.set("at", `${latitude.toFixed(5)},${longitude.toFixed(5)},${zoom.toFixed(2)}`);
  }
  if (chosen) query.set(follow ? "follow" : "show", chosen);
  if (organization) query.set("org", organization);
  if (search) query.set("q", search);
  if (isChoosing) query.set("choose", "1");
  return query;
}

function readAt(query: URLSearchParams): MapView["at"] {
  const parts = (query.get("at") ?? "").split(",").map((part) => (part ? Number(part) : NaN));
  const [latitude = NaN, longitude = NaN, zoom = NaN] = parts;
  const isRight =
    Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && zoom >= 0 && zoom <= 24;
  return parts.length === 3 && isRight ? { latitude, longitude, zoom } : null;
}
