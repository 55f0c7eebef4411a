// Where the days meet: a line of the data that crosses 180° goes on at -180°, which on a flat map is
// a stroke across all of it.

import type { Feature, Geometry, Polygon, Position } from "geojson";

/** The same line without leaps: it goes on beyond 180°, which the map takes for what it is. */
export function unrolled(line: readonly Position[]): Position[] {
  let turn = 0;
  let before: number | null = null;
  const points = line.map(([longitude = 0, latitude = 0]) => {
    if (before !== null) turn -= 360 * Math.round((longitude - before) / 360);
    before = longitude;
    return [longitude + turn, latitude];
  });
  return home(points);
}

/** The same ring without leaps; one around a pole is closed by way of the map's edge. */
export function unrolledRing(ring: readonly Position[]): Position[] {
  const points = unrolled(ring);
  const [[start = 0, latitude = 0] = []] = points;
  const [end = 0] = points.at(-1) ?? [];
  if (Math.abs(end - start) < 180) return points;
  const pole = latitude < 0 ? -90 : 90;
  return [...points, [end, pole], [start, pole], [start, latitude]];
}

/** Without leaps, whatever it is made of. */
export function unrolledFeature<P>(given: Feature<Geometry, P>): Feature<Geometry, P> {
  const { geometry } = given;
  if (geometry.type === "Polygon" || geometry.type === "MultiPolygon") {
    const pieces = piecesOf(geometry).map((rings) => rings.map(unrolledRing));
    return { ...given, geometry: { type: "MultiPolygon", coordinates: pieces } };
  }
  return given;
}

/** The polygons of an area. */
export function piecesOf(geometry: Geometry): Polygon["coordinates"][] {
  if (geometry.type === "Polygon") return [geometry.coordinates];
  return geometry.type === "MultiPolygon" ? geometry.coordinates : [];
}

/** Moved by whole turns so that its middle is on the map: a hole stays in what it is a hole of. */
function home(points: Position[]): Position[] {
  let [west, east] = [Infinity, -Infinity];
  for (const [longitude = 0] of points) {
    west = Math.min(west, longitude);
    east = Math.max(east, longitude);
  }
  const turn = 360 * Math.round((west + east) / 720);
  return turn === 0 ? points : points.map(([longitude = 0, latitude = 0]) => [longitude - turn, latitude]);
}
