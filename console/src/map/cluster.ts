// Vehicles that stand too close to be told apart, as one circle with their number.

/** Something on the screen, in pixels. */
export interface Spot {
  x: number;
  y: number;
}

export interface Cluster<T extends Spot> {
  /** The middle of its members. */
  x: number;
  y: number;
  members: T[];
}

/** So many may overlap before they become a circle. */
export const LEAST_MEMBERS = 4;

/** A cell's side in pixels. */
const CELL = 60;
/** Circles that would be nearer than that are one. */
const NEAR = 46;

const ROW = 1 << 20;

interface Cell<T> {
  sumX: number;
  sumY: number;
  members: T[];
}

/**
 * Groups spots by a grid that is fixed at `originX`, `originY`, so that moving the map changes no group.
 * Answers with the groups, and what stays by itself.
 */
export function cluster<T extends Spot>(
  spots: readonly T[],
  originX: number,
  originY: number,
): { clusters: Cluster<T>[]; single: T[] } {
  const cells = new Map<number, Cell<T>>();
  for (const spot of spots) {
    const key = keyOf(Math.floor((spot.x - originX) / CELL), Math.floor((spot.y - originY) / CELL));
    let cell = cells.get(key);
    if (!cell) cells.set(key, (cell = { sumX: 0, sumY: 0, members: [] }));
    cell.sumX += spot.x;
    cell.sumY += spot.y;
    cell.members.push(spot);
  }
  const single: T[] = [];
  const clusters: Cluster<T>[] = [];
  // The largest take in their neighbours, so that circles do not overlap.
  for (const [key, cell] of [...cells].sort(([, a], [, b]) => b.members.length - a.members.length)) {
    if (cells.get(key) !== cell) continue;
    if (cell.members.length < LEAST_MEMBERS) {
      single.push(...cell.members);
      continue;
    }
    cells.delete(key);
    absorb(cells, key, cell);
    const { length } = cell.members;
    clusters.push({ x: cell.sumX / length, y: cell.sumY / length, members: cell.members });
  }
  return { clusters, single };
}

function keyOf(column: number, row: number): number {
  return row * ROW + column;
}

function absorb<T>(cells: Map<number, Cell<T>>, key: number, cell: Cell<T>): void {
  for (const step of [-ROW - 1, -ROW, -ROW + 1, -1, 1, ROW - 1, ROW, ROW + 1]) {
    const other = cells.get(key + step);
    if (!other) continue;
    const dx = other.sumX / other.members.length - cell.sumX / cell.members.length;
    const dy = other.sumY / other.members.length - cell.sumY / cell.members.length;
    if (Math.hypot(dx, dy) > NEAR) continue;
    cells.delete(key + step);
    cell.sumX += other.sumX;
    cell.sumY += other.sumY;
    cell.members.push(...other.members);
  }
}
