import { expect, test } from "vitest";

import { boxOf, chosenOf, fitting, ranged, toggled, withShown, type Candidate } from "./choice";

function device(id: string, more: Partial<Candidate> = {}): Candidate {
  const none = { mac_address: null, management_ip: null, addresses: [], last_ip: null };
  return { id, name: `bus-${id}`, organization: "alpha", ...none, ...more };
}

const a = device("a", { mac_address: "AA:BB:CC:00:00:01" });
const b = device("b", { management_ip: "10.0.0.2" });
const c = device("c", { name: "Truck", organization: "beta", addresses: ["router.test"] });
const all = [a, b, c];
const everything = { search: "", organization: null, among: null };

test("organization, search and rectangle narrow each other", () => {
  expect(fitting(all, everything)).toEqual(all);
  expect(fitting(all, { ...everything, organization: "beta" })).toEqual([c]);
  expect(fitting(all, { ...everything, search: " BUS " })).toEqual([a, b]);
  expect(fitting(all, { ...everything, search: "aa:bb" })).toEqual([a]);
  expect(fitting(all, { ...everything, search: "10.0" })).toEqual([b]);
  expect(fitting(all, { ...everything, search: "router" })).toEqual([c]);
  expect(fitting(all, { search: "bus", organization: null, among: new Set(["b", "c"]) })).toEqual([b]);
  expect(fitting(all, { ...everything, among: new Set() })).toEqual([]);
});

test("all is all that fit, whatever that is at the time", () => {
  expect(chosenOf(all, [a, b], "all")).toEqual([a, b]);
  expect(boxOf([a, b], "all")).toBe("all");
});

test("what is chosen stays chosen when the search changes, and what is gone does not", () => {
  const picked = new Set(["a", "c", "gone"]);
  expect(chosenOf(all, [b], picked)).toEqual([a, c]);
  expect(boxOf([b], picked)).toBe("none");
  expect(boxOf(all, picked)).toBe("some");
  expect(boxOf([], picked)).toBe("none");
});

test("one is taken, and left again", () => {
  expect(toggled("a", all, new Set())).toEqual(new Set(["a"]));
  expect(toggled("a", all, new Set(["a"]))).toEqual(new Set());
  expect(toggled("a", [a, b], "all")).toEqual(new Set(["b"]));
});

test("from one to another, in either direction", () => {
  expect(ranged("a", "c", all, new Set(["a"]))).toEqual(new Set(["a", "b", "c"]));
  expect(ranged("c", "b", all, new Set(["c"]))).toEqual(new Set(["b", "c"]));
  expect(ranged("gone", "b", all, new Set())).toEqual(new Set(["b"]));
});

test("all that are shown are taken or left, and nothing beside them", () => {
  expect(withShown([a, b], new Set(["a"]), true)).toBe("all");
  expect(withShown([a, b], new Set(["c"]), true)).toEqual(new Set(["c", "a", "b"]));
  expect(withShown([a, b], new Set(["a", "c"]), false)).toEqual(new Set(["c"]));
  expect(withShown(all, "all", false)).toEqual(new Set());
});
