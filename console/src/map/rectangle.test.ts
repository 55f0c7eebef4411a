import { expect, test } from "vitest";

import { between, isDrawn, middle, stepped } from "./rectangle";

const box = { width: 400, height: 200 };

test("a rectangle is between two points, whichever was first, and within the map", () => {
  const drawn = { left: 10, top: 20, right: 110, bottom: 200 };
  expect(between(10, 20, 110, 999, box)).toEqual(drawn);
  expect(between(110, 999, 10, 20, box)).toEqual(drawn);
  expect(isDrawn(drawn)).toBe(true);
  expect(isDrawn(between(5, 5, 6, 90, box))).toBe(false);
});

test("arrows move it and stop at the edge", () => {
  const begin = middle(box);
  expect(begin).toEqual({ left: 100, top: 50, right: 300, bottom: 150 });
  expect(stepped(begin, "ArrowRight", false, box)).toEqual({ ...begin, left: 124, right: 324 });
  let moved = begin;
  for (let step = 0; step < 20; step += 1) moved = stepped(moved, "ArrowUp", false, box) ?? moved;
  expect(moved).toEqual({ ...begin, top: 0, bottom: 100 });
  expect(stepped(begin, "a", false, box)).toBe(null);
});

test("with the shift key they resize it", () => {
  const begin = middle(box);
  expect(stepped(begin, "ArrowDown", true, box)).toEqual({ ...begin, bottom: 174 });
  let small = begin;
  for (let step = 0; step < 20; step += 1) small = stepped(small, "ArrowLeft", true, box) ?? small;
  expect(small).toEqual({ ...begin, right: 116 });
});
