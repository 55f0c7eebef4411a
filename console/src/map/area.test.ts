import { expect, test } from "vitest";

import { areaOf, isIn, readArea, writeArea } from "./area";

const ROME = { west: 12.4, south: 41.8, east: 12.6, north: 42 };

test("what is in a rectangle, its edges too", () => {
  expect(isIn(ROME, 12.4964, 41.9028)).toBe(true);
  expect(isIn(ROME, 12.4, 42)).toBe(true);
  expect(isIn(ROME, 12.39999, 41.9)).toBe(false);
  expect(isIn(ROME, 12.5, 42.00001)).toBe(false);
});

test("a rectangle across the date line has both of its sides", () => {
  const fiji = areaOf(177, -20, 183, -15);
  expect(fiji).toEqual({ west: 177, south: -20, east: -177, north: -15 });
  expect(isIn(fiji, 179, -18)).toBe(true);
  expect(isIn(fiji, -178, -18)).toBe(true);
  expect(isIn(fiji, 0, -18)).toBe(false);
});

test("a map that is seen more than once around is everywhere", () => {
  const all = areaOf(-300, -95, 300, 95);
  expect(all).toEqual({ west: -180, south: -90, east: 180, north: 90 });
});

test("a rectangle comes back from its address, and nonsense does not", () => {
  expect(readArea(writeArea(ROME))).toEqual(ROME);
  for (const text of [null, "", "1,2,3", "1,2,3,4,5", "a,b,c,d", "0,5,1,4", "181,0,1,1", ",,,"]) {
    expect(readArea(text)).toBe(null);
  }
});
