import { describe, expect, test } from "vitest";

import { NO_CHOICE } from "./many/choiceView";
import { WHOLE_FLEET } from "./map/view";
import { format, parse, safeNext } from "./urls";

const ID = "5f3b8c5e-6a53-4a52-9d0c-3f9f7f0f9d11";
const OTHER = "0b3b8c5e-6a53-4a52-9d0c-3f9f7f0f9d12";

describe("addresses", () => {
  test("what is shown comes back from its address", () => {
    const at = { latitude: 41.9028, longitude: -12.4964, zoom: 12.5 };
    const views = [
      WHOLE_FLEET,
      { ...WHOLE_FLEET, at },
      { ...WHOLE_FLEET, at, chosen: ID, organization: ID, search: "bus & ütz, 7" },
      { ...WHOLE_FLEET, chosen: ID, follow: true },
      { ...WHOLE_FLEET, isChoosing: true },
    ];
    for (const view of views) {
      expect(parse(format({ page: "map", view }))).toEqual({ page: "map", view });
    }
    const pages = [
      { page: "devices", search: "", organization: null },
      { page: "devices", search: "a/b?c", organization: ID },
      { page: "device", id: ID, command: null },
      { page: "device", id: ID, command: ID },
      { page: "batches", organization: null, status: null },
      { page: "batches", organization: ID, status: "failed" },
      { page: "batch", id: ID, search: "", status: null },
      { page: "batch", id: ID, search: "bus 7", status: "queued" },
      { page: "run", choice: NO_CHOICE },
      { page: "run", choice: { ...NO_CHOICE, again: ID } },
      { page: "run", choice: { ...NO_CHOICE, search: "bus", picked: "all" } },
      { page: "run", choice: { ...NO_CHOICE, organization: ID, picked: "kept" } },
      { page: "run", choice: { ...NO_CHOICE, picked: [ID, OTHER] } },
      { page: "run", choice: { ...NO_CHOICE, area: { west: 9, south: -1.5, east: 10, north: 2 } } },
      { page: "run", choice: { ...NO_CHOICE, area: { west: 9, south: 0, east: 10, north: 2 }, named: "bus" } },
      { page: "admin", kind: null, item: null, search: "", number: 1 },
      { page: "admin", kind: "users", item: null, search: "ada", number: 3 },
      { page: "admin", kind: "devices", item: "new", search: "", number: 1 },
      { page: "admin", kind: "devices", item: ID, search: "", number: 1 },
      { page: "setup" },
      { page: "login", next: `/devices/${ID}?command=${ID}` },
    ] as const;
    for (const page of pages) expect(parse(format(page))).toEqual(page);
  });

  test("what makes no sense is left out, not believed", () => {
    for (const at of ["", "1,2", "91,0,3", "0,181,3", "0,0,99", "a,b,c", "1,2,3,4", ",,"]) {
      expect(parse(`/?at=${at}`)).toEqual({ page: "map", view: WHOLE_FLEET });
    }
    expect(parse("/?show=../../x&org=1")).toEqual({ page: "map", view: WHOLE_FLEET });
    const pages = ["/batches?status=never&org=x", "/batches"].map(parse);
    expect(pages[0]).toEqual(pages[1]);
    expect(parse("/run?devices=1,2&area=0,0")).toEqual({ page: "run", choice: NO_CHOICE });
    const nowhere = ["/nope", "/devices/xyz", `/devices/${ID}/more`, "/map/x", "/run/x", "/batches/1", "/admin/x", "/admin/users/x", `/admin/users/${ID}/x`];
    for (const path of nowhere) {
      expect(parse(path)).toEqual({ page: "nothing" });
    }
  });

  test("whatever a link says, there is a page", () => {
    expect(parse("/login?next=/%5C")).toEqual({ page: "login", next: "/" });
    expect(parse("/login?next=/.//")).toEqual({ page: "login", next: "/" });
    for (const path of ["//", "/\\", "//[", "/.//"]) {
      expect(parse(path).page).toMatch(/^(map|nothing)$/);
    }
  });

  test("a log-in leads back into the console and nowhere else", () => {
    const outside = ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:1", null, ""];
    for (const next of outside) expect(safeNext(next)).toBe("/");
    for (const next of ["/\\", "/.//", "/.//evil.test", "//"]) expect(safeNext(next)).toBe("/");
    expect(safeNext("/login?next=/login")).toBe("/");
    expect(safeNext("/devices?q=a")).toBe("/devices?q=a");
  });
});
