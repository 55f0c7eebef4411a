// Web Mercator on a square whose side is 1: from the west to the east, from the north to the south.

/** Where the square ends; the poles are not on it. */
const MOST_LATITUDE = 85.051129;

const EARTH_M = 40_075_016.7;

export function xOf(longitude: number): number {
  return longitude / 360 + 0.5;
}

export function yOf(latitude: number): number {
  const bounded = Math.max(-MOST_LATITUDE, Math.min(MOST_LATITUDE, latitude));
  const sine = Math.sin((bounded * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

export function longitudeOf(x: number): number {
  return (x - 0.5) * 360;
}

export function latitudeOf(y: number): number {
  return (Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) * 180) / Math.PI;
}

/** How many metres a step on the square is, at that height. */
export function metres(dx: number, dy: number, y: number): number {
  const stretch = 1 / Math.cosh((0.5 - y) * 2 * Math.PI);
  return Math.hypot(dx, dy) * EARTH_M * stretch;
}
