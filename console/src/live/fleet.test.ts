import { beforeEach, describe, expect, test } from "vitest";

import { Fleet, type Change, type LocationFeature, type LocationMessage } from "./fleet";

const ORGANIZATION = "org";

function feature(id: string, x: number, more: Partial<LocationFeature["properties"]> = {}): LocationFeature {
  return {
    id,
    geometry: { coordinates: [x, 0] },
    properties: {
      name: id,
      address: "",
      organization: ORGANIZATION,
      is_mobile: true,
      modified: "2026-01-01T00:00:00.000000Z",
      ...more,
    },
  };
}

function message(id: string, x: number, more: Partial<LocationMessage> = {}): LocationMessage {
  return { id, name: id, address: "", is_mobile: true, geometry: { coordinates: [x, 0] }, ...more };
}

describe("a fleet", () => {
  let fleet: Fleet;
  let changes: Change["is"][];

  beforeEach(() => {
    changes = [];
    fleet = new Fleet((change) => changes.push(change.is));
  });

  const where = () => Object.fromEntries([...fleet.all()].map((it) => [it.id, it.longitude]));

  function list(...features: LocationFeature[]): void {
    const list = fleet.beginList();
    for (const it of features) list.add(it);
    list.finish();
  }

  /** The list of a connect, whose socket tells again what was modified since then. */
  function listSince(toldAgainFrom: number, ...features: LocationFeature[]): void {
    const list = fleet.beginList();
    for (const it of features) list.add(it, toldAgainFrom);
    list.finish();
  }

  test("is what the list says, and moves as the socket says", () => {
    list(feature("a", 1), feature("b", 2));
    fleet.read(message("a", 3), 1000);
    expect(where()).toEqual({ a: 3, b: 2 });
    expect(changes).toEqual(["here", "here", "moved"]);
  });

  test("a snapshot that comes twice changes nothing", () => {
    list(feature("a", 1));
    fleet.read(message("a", 1), 5000);
    fleet.read(message("a", 1), 5000);
    expect(where()).toEqual({ a: 1 });
    expect(changes).not.toContain("moved");
  });

  test("what the socket says again of the list is no report of now", () => {
    const heardAt = () => fleet.get("a")?.heardAt;
    const modified = Date.parse("2026-01-01T00:00:00Z");
    listSince(modified - 2000, feature("a", 1));
    fleet.read(message("a", 1), modified + 5000);
    expect(heardAt()).toBe(modified);
    // From there on one that stands and reports is heard.
    fleet.read(message("a", 1), modified + 9000);
    expect(heardAt()).toBe(modified + 9000);
  });

  test("a report of one that stands counts, when no socket tells it again", () => {
    const modified = Date.parse("2026-01-01T00:00:00Z");
    // The list of a connect does not tell again what has been silent for longer.
    listSince(modified + 60_000, feature("a", 1));
    fleet.read(message("a", 1), modified + 90_000);
    expect(fleet.get("a")?.heardAt).toBe(modified + 90_000);
    // No other list does at all.
    list(feature("a", 1));
    fleet.read(message("a", 1), modified + 230_000);
    expect(fleet.get("a")?.heardAt).toBe(modified + 230_000);
  });

  test("a new name, address or organization is another object, and a move is not", () => {
    fleet.read(message("a", 1), 0);
    const told = fleet.get("a");
    fleet.read(message("a", 2), 0);
    expect(fleet.get("a")).toBe(told);
    fleet.read(message("a", 2, { address: "Via Roma 1" }), 0);
    const moved = fleet.get("a");
    expect(moved).not.toBe(told);
    fleet.belongs("a", ORGANIZATION);
    expect(fleet.get("a")).not.toBe(moved);
    expect(fleet.get("a")).toMatchObject({ address: "Via Roma 1", organization: ORGANIZATION });
  });

  test("a list that was on its way undoes nothing that the socket said meanwhile", () => {
    list(feature("a", 1), feature("b", 1));
    const late = fleet.beginList();
    fleet.read(message("a", 2), 0);
    fleet.read(message("new", 5), 0);
    fleet.read(message("b", 9, { is_mobile: false }), 0);
    late.add(feature("a", 1, { name: "old name" }));
    late.add(feature("b", 1));
    late.finish();
    expect(where()).toEqual({ a: 2, new: 5 });
    expect(fleet.get("a")?.name).toBe("a");
  });

  test("a list that begins after a message is newer than it", () => {
    fleet.read(message("a", 2), 0);
    list(feature("a", 7, { name: "renamed" }));
    expect(where()).toEqual({ a: 7 });
    expect(fleet.get("a")).toMatchObject({ name: "renamed", organization: ORGANIZATION });
  });

  test("what is in no list any more is gone", () => {
    list(feature("a", 1), feature("b", 2));
    list(feature("b", 2));
    expect(where()).toEqual({ b: 2 });
    expect(changes.at(-1)).toBe("gone");
  });

  test("what stands still from now on leaves the fleet, and may come back", () => {
    list(feature("a", 1));
    fleet.read(message("a", 1, { is_mobile: false }), 0);
    expect(where()).toEqual({});
    fleet.read(message("a", 2), 0);
    expect(where()).toEqual({ a: 2 });
  });

  test("whose a new one is, the socket does not say", () => {
    fleet.read(message("a", 1), 0);
    expect(fleet.get("a")?.organization).toBe(null);
    const late = fleet.beginList();
    fleet.read(message("a", 2), 0);
    late.add(feature("a", 1));
    expect(fleet.get("a")).toMatchObject({ organization: ORGANIZATION, longitude: 2 });
  });

  test("the last report is the latest that is known of", () => {
    list(feature("a", 1));
    const listed = Date.parse("2026-01-01T00:00:00Z");
    expect(fleet.get("a")?.heardAt).toBe(listed);
    fleet.read(message("a", 2), listed + 9000);
    list(feature("a", 2));
    expect(fleet.get("a")?.heardAt).toBe(listed + 9000);
  });

  test("messages of one location are taken in their order, whatever comes between", () => {
    for (let at = 0; at < 1000; at += 1) fleet.read(message(`v${at % 7}`, at), at);
    expect(where()).toEqual({ v0: 994, v1: 995, v2: 996, v3: 997, v4: 998, v5: 999, v6: 993 });
  });
});
