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
      moved: "2026-01-01T00:00:00.000000Z",
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

  const listed = Date.parse("2026-01-01T00:00:00Z");
  const heardAt = () => fleet.get("a")?.heardAt;

  /** A list before a connect, and what the socket says again after it. */
  function connect(since: number, ...features: LocationFeature[]): void {
    const list = fleet.beginList();
    for (const it of features) list.add(it, since);
    list.finish();
  }

  test("what the socket says again of the list is no report of now", () => {
    connect(listed + 9000, feature("a", 1));
    fleet.read(message("a", 1), listed + 9500);
    expect(heardAt()).toBe(listed);
    // From there on one that stands and reports is heard.
    fleet.read(message("a", 1), listed + 19_000);
    expect(heardAt()).toBe(listed + 19_000);
  });

  test("what had been silent before a connect is not said again: its next report is one", () => {
    connect(listed + 11_000, feature("a", 1));
    fleet.read(message("a", 1), listed + 12_000);
    expect(heardAt()).toBe(listed + 12_000);
  });

  test("after a look that no socket follows, the next report of one that stands is heard", () => {
    list(feature("a", 1));
    fleet.read(message("a", 1), listed + 110_000);
    list(feature("a", 1, { moved: "2026-01-01T00:01:50.000000Z" }));
    fleet.read(message("a", 1), listed + 230_000);
    expect(heardAt()).toBe(listed + 230_000);
  });

  test("another name, address or organization makes another object, a report does not", () => {
    fleet.read(message("a", 1), 0);
    const first = fleet.get("a");
    fleet.read(message("a", 2), 0);
    expect(fleet.get("a")).toBe(first);
    fleet.introduce("a", ORGANIZATION);
    const second = fleet.get("a");
    expect(second).not.toBe(first);
    expect(second).toMatchObject({ organization: ORGANIZATION, longitude: 2 });
    fleet.read(message("a", 2, { name: "renamed" }), 0);
    expect(fleet.get("a")).not.toBe(second);
    expect(fleet.get("a")).toMatchObject({ name: "renamed", organization: ORGANIZATION });
    list(feature("a", 2, { name: "renamed", address: "Via Appia" }));
    expect(fleet.get("a")?.address).toBe("Via Appia");
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
    expect(fleet.unknown()).toEqual(["a"]);
    list(feature("a", 1));
    expect(fleet.unknown()).toEqual([]);
  });

  test("the last report is the latest that is known of", () => {
    list(feature("a", 1));
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
