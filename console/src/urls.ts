// What an address of the console means, and the address of what is shown. Whoever sends one to
// somebody else sends the view: `map/view.ts` and `many/choiceView.ts` hold what stands in the query of the two pages
// that keep most there.

import type { BatchStatus, ResultStatus } from "./api/batches";
import { readChoice, writeChoice, type ChoiceView } from "./many/choiceView";
import { readView, writeView, type MapView } from "./map/view";
import { idOf, isId, oneOf } from "./query";

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

const BATCH_STATUSES: BatchStatus[] = ["in-progress", "success", "failed"];
const RESULT_STATUSES: ResultStatus[] = ["queued", "in-progress", "success", "failed", "skipped"];

/** Reads a path with its query. */
export function parse(address: string): Route {
  const url = here(address);
  const [first = "", second, ...more] = url.pathname.split("/").filter(Boolean);
  const query = url.searchParams;
  if (first === "admin") return parseAdmin(second, more, query);
  if (more.length > 0) return { page: "nothing" };
  if (second === undefined) return parseFirst(first, query);
  if (!isId(second)) return { page: "nothing" };
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
      return { page: "map", view: readView(query) };
    case "login":
      return { page: "login", next: safeNext(query.get("next")) };
    case "devices":
      return { page: "devices", search: query.get("q") ?? "", organization };
    case "batches":
      return { page: "batches", organization, status: oneOf(BATCH_STATUSES, query.get("status")) };
    case "run":
      return { page: "run", choice: readChoice(query) };
    case "setup":
      return { page: "setup" };
    default:
      return { page: "nothing" };
  }
}

function parseAdmin(name: string | undefined, more: string[], query: URLSearchParams): Route {
  const kind = KINDS.find((it) => it === name) ?? null;
  const [item = null, ...rest] = more;
  const isItem = item === null || item === NEW || isId(item);
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
      return withQuery("/", writeView(route.view));
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
      return withQuery("/run", writeChoice(route.choice));
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
