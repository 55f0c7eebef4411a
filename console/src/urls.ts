// What an address of the console means, and the address of what is shown. Whoever sends one to
// somebody else sends the view.

export type Route =
  | { page: "map"; view: MapView }
  | { page: "devices"; search: string; organization: string | null }
  | { page: "device"; id: string; command: string | null }
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
}

export const WHOLE_FLEET: MapView = {
  at: null,
  chosen: null,
  follow: false,
  organization: null,
  search: "",
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads a path with its query. */
export function parse(address: string): Route {
  const url = new URL(address, "http://console");
  const [first = "", second, ...more] = url.pathname.split("/").filter(Boolean);
  const query = url.searchParams;
  if (first === "admin") return parseAdmin(second, more, query);
  if (more.length > 0) return { page: "nothing" };
  if (first === "" || (first === "map" && !second)) return { page: "map", view: parseView(query) };
  if (first === "login" && !second) return { page: "login", next: safeNext(query.get("next")) };
  if (first === "setup" && !second) return { page: "setup" };
  if (first !== "devices") return { page: "nothing" };
  if (second === undefined) {
    return { page: "devices", search: query.get("q") ?? "", organization: idOf(query.get("org")) };
  }
  if (!UUID.test(second)) return { page: "nothing" };
  return { page: "device", id: second, command: idOf(query.get("command")) };
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

function formatMap({ at, chosen, follow, organization, search }: MapView): string {
  const query = new URLSearchParams();
  // Who follows something is where that is.
  if (at && !(follow && chosen)) {
    const { latitude, longitude, zoom } = at;
    query.set("at", `${latitude.toFixed(5)},${longitude.toFixed(5)},${zoom.toFixed(2)}`);
  }
  if (chosen) query.set(follow ? "follow" : "show", chosen);
  if (organization) query.set("org", organization);
  if (search) query.set("q", search);
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

/** Only a path of this very console: a log-in must not send anybody elsewhere. */
export function safeNext(next: string | null): string {
  if (!next?.startsWith("/")) return "/";
  const url = new URL(next, "http://console");
  if (url.origin !== "http://console" || /^\/(login|setup)/.test(url.pathname)) return "/";
  return url.pathname + url.search;
}

function withQuery(path: string, query: URLSearchParams): string {
  // A comma says more as itself.
  const text = query.toString().replaceAll("%2C", ",");
  return text ? `${path}?${text}` : path;
}
