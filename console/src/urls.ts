// What an address of the console means, and the address of what is shown. Whoever sends one to
// somebody else sends the view.

import type { BatchStatus, ResultStatus } from "./api/batches";
import { readArea, writeArea, type Area } from "./map/area";

export type Route =
  | { page: "map"; view: MapView }
  | { page: "devices"; search: string; organization: string | null }
  | { page: "device"; id: string; command: string | null }
  | { page: "batches"; organization: string | null; status: BatchStatus | null }
  | { page: "batch"; id: string; search: string; status: ResultStatus | null }
  | { page: "run"; choice: ChoiceView }
  | { page: "admin"; kind: KindName | null; item: string | null; search: string; number: number }
  | { page: "login"; next: string }
  | { page: "setup" }
  | { page: "nothing" };

/** What is administered, as it is called in addresses. */
export const KINDS = [
  "organizations",
  "users",
  "groups",
  "devices",
  "credentials",
  "locations",
] as const;
export type KindName = (typeof KINDS)[number];

/** In the place of an id: one that is to be made. */
export const NEW = "new";

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

const BATCH_STATUSES: BatchStatus[] = ["in-progress", "success", "failed"];
const RESULT_STATUSES: ResultStatus[] = ["queued", "in-progress", "success", "failed", "skipped"];

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads a path with its query. */
export function parse(address: string): Route {
  const url = here(address);
  const [first = "", second, ...more] = url.pathname.split("/").filter(Boolean);
  const query = url.searchParams;
  if (first === "admin") return parseAdmin(second, more, query);
  if (more.length > 0) return { page: "nothing" };
  if (second === undefined) return parseFirst(first, query);
  if (!UUID.test(second)) return { page: "nothing" };
  const id = second.toLowerCase();
  if (first === "devices") return { page: "device", id, command: idOf(query.get("command")) };
  if (first !== "batches") return { page: "nothing" };
  const status = oneOf(RESULT_STATUSES, query.get("status"));
  return { page: "batch", id, search: query.get("q") ?? "", status };
}

function parseFirst(first: string, query: URLSearchParams): Route {
  const organization = idOf(query.get("org"));
  switch (first) {
    case "":
    case "map":
      return { page: "map", view: parseView(query) };
    case "login":
      return { page: "login", next: safeNext(query.get("next")) };
    case "devices":
      return { page: "devices", search: query.get("q") ?? "", organization };
    case "batches":
      return { page: "batches", organization, status: oneOf(BATCH_STATUSES, query.get("status")) };
    case "run":
      return { page: "run", choice: parseChoice(query) };
    case "setup":
      return { page: "setup" };
    default:
      return { page: "nothing" };
  }
}

function parseAdmin(name: string | undefined, more: string[], query: URLSearchParams): Route {
  const kind = KINDS.find((it) => it === name) ?? null;
  const [item = null, ...rest] = more;
  const isItem = item === null || item === NEW || UUID.test(item);
  if ((name !== undefined && !kind) || !isItem || rest.length > 0) return { page: "nothing" };
  const number = Math.max(1, Math.trunc(Number(query.get("page"))) || 1);
  return { page: "admin", kind, item, search: query.get("q") ?? "", number };
}

function formatAdmin(kind: KindName | null, item: string | null, search: string, number: number): string {
  const query = new URLSearchParams();
  if (search) query.set("q", search);
  if (number > 1) query.set("page", String(number));
  const path = ["/admin", kind, item].filter((part) => part !== null).join("/");
  return withQuery(path, query);
}

/** Writes what {@link parse} reads. */
export function format(route: Route): string {
  const query = new URLSearchParams();
  switch (route.page) {
    case "map":
      return formatMap(route.view);
    case "devices":
      if (route.search) query.set("q", route.search);
      if (route.organization) query.set("org", route.organization);
      return withQuery("/devices", query);
    case "device":
      if (route.command) query.set("command", route.command);
      return withQuery(`/devices/${route.id}`, query);
    case "batches":
      if (route.organization) query.set("org", route.organization);
      if (route.status) query.set("status", route.status);
      return withQuery("/batches", query);
    case "batch":
      if (route.search) query.set("q", route.search);
      if (route.status) query.set("status", route.status);
      return withQuery(`/batches/${route.id}`, query);
    case "run":
      return formatChoice(route.choice);
    case "admin":
      return formatAdmin(route.kind, route.item, route.search, route.number);
    case "setup":
      return "/setup";
    case "login":
      if (route.next !== "/") query.set("next", route.next);
      return withQuery("/login", query);
    case "nothing":
      return "/";
  }
}

function formatChoice({ organization, search, area, named, picked, again }: ChoiceView): string {
  const query = new URLSearchParams();
  if (again) query.set("again", again);
  if (organization) query.set("org", organization);
  if (search) query.set("q", search);
  if (area) query.set("area", writeArea(area));
  if (area && named) query.set("named", named);
  if (typeof picked === "string") query.set("devices", picked);
  else if (picked.length > 0) query.set("devices", picked.join(","));
  return withQuery("/run", query);
}

function parseChoice(query: URLSearchParams): ChoiceView {
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

function formatMap({ at, chosen, follow, organization, search, isChoosing }: MapView): string {
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
  return withQuery("/", query);
}

function parseView(query: URLSearchParams): MapView {
  const follow = idOf(query.get("follow"));
  return {
    at: parseAt(query),
    chosen: follow ?? idOf(query.get("show")),
    follow: follow !== null,
    organization: idOf(query.get("org")),
    search: query.get("q") ?? "",
    isChoosing: query.get("choose") === "1",
  };
}

function parseAt(query: URLSearchParams): MapView["at"] {
  const parts = (query.get("at") ?? "").split(",").map((part) => (part ? Number(part) : NaN));
  const [latitude = NaN, longitude = NaN, zoom = NaN] = parts;
  const isRight =
    Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && zoom >= 0 && zoom <= 24;
  return parts.length === 3 && isRight ? { latitude, longitude, zoom } : null;
}

function idOf(text: string | null): string | null {
  return text && UUID.test(text) ? text.toLowerCase() : null;
}

function oneOf<T extends string>(words: T[], text: string | null): T | null {
  return words.find((word) => word === text) ?? null;
}

/** Only a path of this very console: a log-in must not send anybody elsewhere. */
export function safeNext(next: string | null): string {
  if (!next?.startsWith("/")) return "/";
  const url = here(next);
  // What begins with two of them is a host, as a browser reads it.
  if (/^\/(\/|login|setup)/.test(url.pathname)) return "/";
  return url.pathname + url.search;
}

/** A path of this console, whatever stands in it: none of it becomes a host, and none is refused. */
function here(path: string): URL {
  return new URL(`http://console${path}`);
}

function withQuery(path: string, query: URLSearchParams): string {
  // A comma says more as itself.
  const text = query.toString().replaceAll("%2C", ",");
  return text ? `${path}?${text}` : path;
}
