import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Fleet } from "../live/fleet";
import { FleetSearch } from "./fleetSearch.svelte";

let fleet: Fleet;
let found: FleetSearch;

function list(places: Record<string, string>): void {
  const list = fleet.beginList();
  for (const [name, organization] of Object.entries(places)) {
    const properties = { name, organization, address: "", is_mobile: true, moved: "2026-01-01T00:00:00Z" };
    list.add({ id: name, geometry: { coordinates: [0, 0] }, properties });
  }
  list.finish();
}

const names = () => found.listed.map(({ name }) => name);

beforeEach(() => {
  vi.useFakeTimers();
  fleet = new Fleet(() => undefined);
  found = new FleetSearch(fleet);
  list({ "Bus 10": "alpha", "Bus 2": "beta", "Truck 1": "alpha" });
});

afterEach(() => void vi.useRealTimers());

test("search and organization leave what fits both, 2 before 10", () => {
  found.set("", null);
  expect(names()).toEqual(["Bus 2", "Bus 10", "Truck 1"]);
  found.set(" bUs ", null);
  expect(names()).toEqual(["Bus 2", "Bus 10"]);
  found.set("bus", "alpha");
  expect(names()).toEqual(["Bus 10"]);
  expect(found.all).toBe(3);
});

test("what comes in a burst is put in order once, and nothing after the page has gone", () => {
  found.set("", null);
  const before = found.listed;
  list({ "Bus 1": "alpha" });
  found.orderSoon();
  found.orderSoon();
  expect(found.listed).toBe(before);
  expect(vi.getTimerCount()).toBe(1);
  vi.runAllTimers();
  expect(names()).toEqual(["Bus 1"]);
  list({});
  found.orderSoon();
  found.stop();
  vi.runAllTimers();
  expect(names()).toEqual(["Bus 1"]);
});
