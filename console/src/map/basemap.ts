// The map below: land, borders and names, drawn from data that lies beside the console. It asks no
// other host, unless the operator named a tile server.

import type { FeatureCollection, MultiLineString, Point, Position } from "geojson";
import type { StyleSpecification } from "maplibre-gl";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";

import placesUrl from "../../.generated/places.json?url";
import worldUrl from "../../.generated/world.json?url";
import { texts } from "../texts";
import { piecesOf, unrolled, unrolledFeature } from "./antimeridian";
import type { Palette } from "./palette";

/** Raster tiles of somebody else's. */
export interface Tiles {
  url: string;
  attribution: string;
}

/** What the operator configured; the server writes it into the page. */
export function configuredTiles(): Tiles | null {
  const read = (name: string) =>
    document.querySelector<HTMLMetaElement>(`meta[name="fleetwire-${name}"]`)?.content ?? "";
  const url = read("tiles");
  return url ? { url, attribution: read("tiles-attribution") } : null;
}

type Country = GeometryCollection<{ name: string }>;
type World = Topology<{ countries: Country; land: GeometryCollection<object> }>;
type City = [name: string, longitude: number, latitude: number, thousands: number];

interface Drawn {
  land: FeatureCollection;
  coasts: MultiLineString;
  borders: MultiLineString;
  countries: FeatureCollection<Point>;
  cities: FeatureCollection<Point>;
}

let drawn: Promise<Drawn> | undefined;

/** Once for all maps; what could not be fetched is fetched when it is asked for again. */
function loadOnce(): Promise<Drawn> {
  drawn ??= load().catch((error: unknown) => {
    drawn = undefined;
    throw error;
  });
  return drawn;
}

async function load(): Promise<Drawn> {
  const [world, cities] = await Promise.all([
    get<World>(worldUrl),
    get<City[]>(placesUrl),
  ]);
  const land = feature(world, world.objects.land);
  return {
    land: { ...land, features: land.features.map(unrolledFeature) },
    coasts: withoutLeaps(mesh(world, world.objects.land)),
    borders: withoutLeaps(mesh(world, world.objects.countries, (a, b) => a !== b)),
    countries: countryNames(world),
    cities: {
      type: "FeatureCollection",
      features: cities.map(([name, longitude, latitude, size]) =>
        point([longitude, latitude], { name, size }),
      ),
    },
  };
}

function withoutLeaps(lines: MultiLineString): MultiLineString {
  return { ...lines, coordinates: lines.coordinates.map(unrolled) };
}

async function get<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
  return (await answer.json()) as T;
}

function point(coordinates: Position, properties: Record<string, string | number>) {
  return { type: "Feature" as const, geometry: { type: "Point" as const, coordinates }, properties };
}

/** The name of each country in the middle of the largest piece of its land. */
function countryNames(world: World): FeatureCollection<Point> {
  const { features } = feature(world, world.objects.countries);
  const named = features.flatMap(({ geometry, properties }) => {
    const pieces = piecesOf(geometry).map((piece) => middle(unrolled(piece[0] ?? [])));
    const middles = pieces.sort((a, b) => b.area - a.area);
    const [largest] = middles;
    if (!largest) return [];
    return [point(largest.at, { name: properties.name, size: Math.sqrt(largest.area) })];
  });
  return { type: "FeatureCollection", features: named };
}

/** A ring's centroid and its area in square degrees. */
function middle(ring: Position[]): { at: Position; area: number } {
  let area = 0;
  let x = 0;
  let y = 0;
  for (let at = 1; at < ring.length; at += 1) {
    const [x0 = 0, y0 = 0] = ring[at - 1] ?? [];
    const [x1 = 0, y1 = 0] = ring[at] ?? [];
    const part = x0 * y1 - x1 * y0;
    area += part;
    x += (x0 + x1) * part;
    y += (y0 + y1) * part;
  }
  if (area === 0) return { at: ring[0] ?? [0, 0], area: 0 };
  return { at: [x / (3 * area), y / (3 * area)], area: Math.abs(area / 2) };
}

/** What MapLibre draws; the glyphs of names are drawn by the browser, for there is no `glyphs`. */
export async function styleOf(palette: Palette, tiles: Tiles | null): Promise<StyleSpecification> {
  if (tiles) return tileStyle(palette, tiles);
  const { land, coasts, borders, countries, cities } = await loadOnce();
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: land, tolerance: 0.2 },
      coasts: { type: "geojson", data: coasts, tolerance: 0.2 },
      borders: { type: "geojson", data: borders, tolerance: 0.2 },
      countries: { type: "geojson", data: countries },
      cities: { type: "geojson", data: cities, attribution: texts.map.attribution },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": palette.sea } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": palette.land } },
      {
        id: "coast",
        type: "line",
        source: "coasts",
        paint: { "line-color": palette.border, "line-width": 0.6 },
      },
      {
        id: "borders",
        type: "line",
        source: "borders",
        paint: { "line-color": palette.border, "line-width": ["step", ["zoom"], 0.8, 5, 1.3] },
      },
      ...names(palette),
    ],
  };
}

function names(palette: Palette): StyleSpecification["layers"] {
  const halo = { "text-halo-color": palette.halo, "text-halo-width": 1.4 };
  // Thousands of people from which on a city is worth its name.
  const size = ["step", ["zoom"], 4000, 4, 1500, 5, 600, 6, 300, 7, 150, 8, 50];
  return [
    {
      id: "cities",
      type: "circle",
      source: "cities",
      minzoom: 3,
      maxzoom: 13,
      filter: [">=", ["get", "size"], size] as never,
      paint: {
        "circle-radius": ["step", ["get", "size"], 1.8, 1000, 2.6],
        "circle-color": palette.city,
        "circle-opacity": 0.55,
      },
    },
    {
      id: "city-names",
      type: "symbol",
      source: "cities",
      minzoom: 3,
      filter: [">=", ["get", "size"], size] as never,
      layout: {
        "text-field": ["get", "name"],
        "text-font": ["Noto Sans Regular"],
        "text-size": ["interpolate", ["linear"], ["zoom"], 3, 10.5, 10, 14],
        "text-variable-anchor": ["top", "bottom", "left", "right"],
        "text-radial-offset": 0.4,
        "symbol-sort-key": ["-", 0, ["get", "size"]],
      },
      paint: { "text-color": palette.city, ...halo },
    },
    {
      id: "country-names",
      type: "symbol",
      source: "countries",
      minzoom: 1.5,
      maxzoom: 7,
      filter: [">=", ["get", "size"], ["step", ["zoom"], 12, 3, 5, 4, 2, 5, 0]] as never,
      layout: {
        "text-field": ["get", "name"],
        "text-font": ["Noto Sans Bold"],
        "text-size": ["interpolate", ["linear"], ["zoom"], 2, 10, 6, 16],
        "text-letter-spacing": 0.08,
        "text-max-width": 7,
        "symbol-sort-key": ["-", 0, ["get", "size"]],
      },
      paint: { "text-color": palette.name, ...halo },
    },
  ];
}

function tileStyle(palette: Palette, { url, attribution }: Tiles): StyleSpecification {
  const attributed = attribution ? { attribution } : {};
  return {
    version: 8,
    sources: { tiles: { type: "raster", tiles: [url], tileSize: 256, ...attributed } },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": palette.sea } },
      { id: "tiles", type: "raster", source: "tiles" },
    ],
  };
}
