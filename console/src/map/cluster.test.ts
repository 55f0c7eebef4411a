import { expect, test } from "vitest";

import { cluster } from "./cluster";

const spots = (...places: [number, number][]) => places.map(([x, y]) => ({ x, y }));

test("few stay by themselves, many become one", () => {
  const few = spots([1, 1], [2, 2], [3, 3]);
  expect(cluster(few, 0, 0)).toEqual({ clusters: [], single: few });
  const many = spots([1, 1], [2, 2], [3, 3], [6, 6]);
  const { clusters, single } = cluster(many, 0, 0);
  expect(single).toEqual([]);
  expect(clusters).toEqual([{ x: 3, y: 3, members: many }]);
});

test("a crowd on a line of the grid is one circle and not two", () => {
  const crowd = spots([55, 5], [57, 5], [58, 5], [59, 5], [61, 5], [62, 5], [63, 5], [65, 5]);
  const { clusters } = cluster(crowd, 0, 0);
  expect(clusters.length).toBe(1);
  expect(clusters[0]?.members.length).toBe(8);
});

test("everything is somewhere, once, wherever the map stands", () => {
  const places: [number, number][] = [];
  for (let at = 0; at < 2000; at += 1) places.push([(at * 7919) % 1500, (at * 104_729) % 900]);
  const all = spots(...places);
  const count = (originX: number, originY: number) => {
    const { clusters, single } = cluster(all, originX, originY);
    const seen = new Set([...single, ...clusters.flatMap((it) => it.members)]);
    expect(seen.size).toBe(all.length);
    return clusters.length;
  };
  expect(count(0, 0)).toBe(count(-600, 120));
});
