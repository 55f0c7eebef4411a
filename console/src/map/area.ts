// A rectangle of the map, by its edges in degrees.

export interface Area {
  west: number;
  south: number;
  /** Less than `west` where it lies across the meridian at 180 degrees. */
  east: number;
  north: number;
}

/** Whether a place is in it; its edges are. */
export function isIn(area: Area, longitude: number, latitude: number): boolean {
  if (latitude < area.south || latitude > area.north) return false;
  return area.west <= area.east
    ? longitude >= area.west && longitude <= area.east
    : longitude >= area.west || longitude <= area.east;
}

/** Of two corners as a map says them: its longitudes go on beyond 180. */
export function areaOf(west: number, south: number, east: number, north: number): Area {
  // More than once around is everywhere.
  const isAround = east - west >= 360;
  return {
    west: isAround ? -180 : around(west),
    south: Math.max(-90, Math.min(south, north)),
    east: isAround ? 180 : around(east),
    north: Math.min(90, Math.max(south, north)),
  };
}

function around(longitude: number): number {
  return longitude >= -180 && longitude <= 180
    ? longitude
    : ((((longitude + 180) % 360) + 360) % 360) - 180;
}

/** Five digits are a metre. */
export function writeArea({ west, south, east, north }: Area): string {
  return [west, south, east, north].map((it) => it.toFixed(5)).join(",");
}

export function readArea(text: string | null): Area | null {
  const parts = (text ?? "").split(",").map((part) => (part.trim() ? Number(part) : NaN));
  const [west = NaN, south = NaN, east = NaN, north = NaN] = parts;
  const isRight =
    Math.abs(west) <= 180 && Math.abs(east) <= 180 && south >= -90 && north <= 90 && south <= north;
  return parts.length === 4 && isRight ? { west, south, east, north } : null;
}
