import { expect, test } from "vitest";

import { unrolled, unrolledRing } from "./antimeridian";

test("a line across 180° goes on beyond it", () => {
  expect(unrolled([[170, 60], [180, 61], [-175, 62], [178, 63]])).toEqual([
    [170, 60],
    [180, 61],
    [185, 62],
    [178, 63],
  ]);
});

test("what begins beyond is where most of it is", () => {
  const ring = [[-170, 66], [179, 65], [30, 60], [179, 70], [-170, 66]];
  expect(unrolledRing(ring).map(([longitude]) => longitude)).toEqual([190, 179, 30, 179, 190]);
});

test("what crosses nothing stays as it is", () => {
  const ring = [[-100, 10], [0, 10], [100, 10], [0, 50], [-100, 10]];
  expect(unrolledRing(ring)).toEqual(ring);
});

test("a ring around the pole is closed at the map's edge", () => {
  const ring = [[-90, -70], [0, -70], [90, -70], [180, -70], [-90, -70]];
  expect(unrolledRing(ring)).toEqual([
    [-90, -70],
    [0, -70],
    [90, -70],
    [180, -70],
    [270, -70],
    [270, -90],
    [-90, -90],
    [-90, -70],
  ]);
});
