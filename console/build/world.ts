// Land and borders for the map that needs no network, as coarse as they are anyway: each bit less of
// a coordinate is one less to send.

import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Topology } from "topojson-specification";
import type { Plugin } from "vite";

/** So many steps around the world, a mile each at the equator: less than the data leaves out. */
const STEPS = 24_000;

/** Writes `.generated/world.json`, with no more about a country than its name. */
export function world(): Plugin {
  return {
    name: "fleetwire-world",
    config(config) {
      const directory = join(config.root ?? process.cwd(), ".generated");
      const given = createRequire(import.meta.url)("world-atlas/countries-50m.json") as Topology;
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "world.json"), JSON.stringify(coarser(given)));
    },
  };
}

function coarser(given: Topology): Topology {
  const { scale, translate } = given.transform ?? { scale: [1, 1], translate: [0, 0] };
  const step = 360 / STEPS;
  const at = (axis: 0 | 1, value: number) => Math.round((value * scale[axis]) / step);
  const arcs = given.arcs.map((arc) => {
    let [x, y, fromX, fromY] = [0, 0, 0, 0];
    const points: number[][] = [];
    for (const [dx = 0, dy = 0] of arc) {
      x += dx;
      y += dy;
      const [toX, toY] = [at(0, x), at(1, y)];
      const isFirst = points.length === 0;
      // Two that fall together are one; an arc keeps two ends, or none could be drawn.
      if (isFirst || toX !== fromX || toY !== fromY) points.push([toX - fromX, toY - fromY]);
      [fromX, fromY] = [toX, toY];
    }
    if (points.length === 1) points.push([0, 0]);
    return points;
  });
  return { ...given, transform: { scale: [step, step], translate }, arcs, objects: named(given.objects) };
}

function named(objects: Topology["objects"]): Topology["objects"] {
  for (const object of Object.values(objects)) {
    if (object.type !== "GeometryCollection") continue;
    for (const geometry of object.geometries) delete geometry.id;
  }
  return objects;
}
