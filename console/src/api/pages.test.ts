import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Fleet, type LocationFeature } from "../live/fleet";
import { listFleet } from "../state/fleetList";
import { Refusal } from "./client";
import { readRows } from "./pages";
import { devicesAt } from "./resources";

/** What a list of two a page holds at each question, the newest first, paged as the server does it. */
let lists: string[][];
let asked: number;
let bodyOf: (page: string[], rest: { count: number; next: string | null }) => unknown;

beforeEach(() => {
  asked = 0;
  bodyOf = (page, rest) => ({ ...rest, results: page.map((id) => ({ id })) });
  vi.stubGlobal("fetch", (path: string) => {
    const rows = lists[Math.min(asked, lists.length - 1)] ?? [];
    asked += 1;
    const number = Number(new URL(path, "http://server").searchParams.get("page") ?? 1);
    const page = rows.slice(2 * number - 2, 2 * number);
    if (number > 1 && page.length === 0) return Promise.resolve(Response.json({ detail: "Invalid page." }, { status: 404 }));
    const next = 2 * number < rows.length ? `http://server/list/?page=${number + 1}` : null;
    return Promise.resolve(Response.json(bodyOf(page, { count: rows.length, next })));
  });
});

afterEach(() => vi.unstubAllGlobals());

async function read(): Promise<string> {
  const rows = await readRows("/list/", {}, (row: { id: string }) => row.id);
  return rows.map((it) => it.id).join("");
}

test("all pages of a list that stands still, once", async () => {
  lists = [[..."abcde"]];
  expect(await read()).toBe("abcde");
  expect(asked).toBe(3);
  lists = [[]];
  expect(await read()).toBe("");
});

test("one that goes while pages are turned hides no other", async () => {
  lists = [[..."abcd"], [..."bcd"], [..."bcd"]];
  expect(await read()).toBe("bcd");
});

test("one that comes while pages are turned is there, and none is there twice", async () => {
  lists = [[..."abcd"], [..."nabcd"], [..."nabcd"], [..."nabcd"]];
  expect(await read()).toBe("nabcd");
});

test("a list that shrinks to before the page that is asked for is read again: it is not gone", async () => {
  lists = [[..."abc"], [..."ab"], [..."ab"]];
  expect(await read()).toBe("ab");
});

test("all devices at a location, and not only those of its first page", async () => {
  lists = [[..."abcde"]];
  const devices = await devicesAt("l", new AbortController().signal);
  expect(devices.map((it) => it.id)).toEqual([..."abcde"]);
});

test("what is not there at all is told", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ detail: "Not found." }, { status: 404 })));
  await expect(read()).rejects.toBeInstanceOf(Refusal);
});

test("of a list that does not come to rest nothing that was seen is left out", async () => {
  lists = [[..."abc"], [..."bc"], [..."dbc"], [..."bc"], [..."ebc"], [..."bc"]];
  expect([...(await read())].toSorted().join("")).toBe("abde");
});

test("the fleet is taken over whole, and what is in no list any more goes", async () => {
  const fleet = new Fleet(() => undefined);
  bodyOf = (page, rest) => ({ ...rest, features: page.map(feature) });
  const list = () =>
    listFleet(fleet, new AbortController().signal, { heard: () => undefined, isConnect: true });
  lists = [[..."abcd"]];
  await list();
  expect([...fleet.all()].map((it) => it.id)).toEqual([..."abcd"]);
  asked = 0;
  // One is removed between the first page and the second.
  lists = [[..."abc"], [..."ac"], [..."ac"]];
  await list();
  expect([...fleet.all()].map((it) => it.id)).toEqual([..."ac"]);
});

function feature(id: string): LocationFeature {
  return {
    id,
    geometry: { coordinates: [0, 0] },
    properties: { name: id, address: "", organization: "o", is_mobile: true, moved: "2026-01-01T00:00:00Z" },
  };
}
