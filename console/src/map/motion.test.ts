import { expect, test } from "vitest";

import { latitudeOf, longitudeOf, metres, xOf, yOf } from "./mercator";
import { Motion } from "./motion";

const place = (motion: Motion, now: number) => {
  const { x, y } = motion.at(now);
  return [longitudeOf(x), latitudeOf(y)].map((it) => Number(it.toFixed(5)));
};

test("the square gives places back", () => {
  for (const [longitude, latitude] of [[0, 0], [12.4964, 41.9028], [-179.9, -84], [180, 85]] as const) {
    expect(longitudeOf(xOf(longitude))).toBeCloseTo(longitude, 9);
    expect(latitudeOf(yOf(latitude))).toBeCloseTo(latitude, 9);
  }
  expect(metres(xOf(1) - xOf(0), 0, yOf(60))).toBeCloseTo(111_319 / 2, -2);
});

test("a vehicle takes as long for a way as passed between its reports", () => {
  const motion = new Motion(12, 41);
  motion.report(12, 41, 0, true);
  motion.report(12.002, 41, 4000, true);
  expect(place(motion, 4000)).toEqual([12, 41]);
  expect(place(motion, 6000)).toEqual([12.001, 41]);
  expect(motion.isMoving(6000)).toBe(true);
  expect(place(motion, 99_000)).toEqual([12.002, 41]);
  expect(motion.isMoving(99_000)).toBe(false);
  expect(motion.heading).toBeCloseTo(Math.PI / 2);
});

test("a report on the way begins where the vehicle is shown", () => {
  const motion = new Motion(12, 41);
  motion.report(12, 41, 0, true);
  motion.report(12.002, 41, 4000, true);
  motion.report(12.002, 41.001, 6000, true);
  expect(place(motion, 6000)).toEqual([12.001, 41]);
  expect(motion.trail.length).toBe(2);
});

test("what did not drive there leaps and leaves no trail", () => {
  const motion = new Motion(12, 41);
  motion.report(12.001, 41, 1000, true);
  motion.report(9.99, 53.5, 2000, true);
  expect(place(motion, 2000)).toEqual([9.99, 53.5]);
  expect(motion.trail).toEqual([]);
});

test("who wants no motion sees none", () => {
  const motion = new Motion(12, 41);
  motion.report(12.001, 41, 1000, false);
  expect(place(motion, 1000)).toEqual([12.001, 41]);
});

test("over the line where the days meet it goes the short way", () => {
  const motion = new Motion(179.999, 0);
  motion.report(-179.999, 0, 1000, true);
  expect(Math.abs(motion.at(1500).x - 0) < 0.00001).toBe(true);
});

test("a trail stays bounded", () => {
  const motion = new Motion(0, 0);
  for (let step = 1; step <= 1000; step += 1) motion.report(step / 10_000, 0, step * 100, true);
  expect(motion.trail.length).toBeLessThanOrEqual(64);
});
