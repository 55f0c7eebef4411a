// How a vehicle gets from one report to the next without a leap.

import { metres, xOf, yOf } from "./mercator";

/** A point of the way behind a vehicle, and when it was there. */
export interface TrailPoint {
  x: number;
  y: number;
  at: number;
}

/** Shown for as long as that. */
export const TRAIL_MS = 90_000;
const MOST_POINTS = 64;

const SHORTEST_MS = 250;
const LONGEST_MS = 12_000;
/** Of a first move it is not known how long it took. */
const FIRST_MS = 1000;

/** What is faster did not drive there. */
const FASTEST_M_PER_S = 150;

/** Less of a turn is not worth one. */
const LEAST_M = 0.5;

/** A vehicle on its way; places are on the square of `mercator.ts`, times are a frame's. */
export class Motion {
  #fromX: number;
  #fromY: number;
  #toX: number;
  #toY: number;
  #startedAt = 0;
  #duration = 0;
  #reportedAt: number | null = null;
  /** In radians clockwise from the north; null until it has moved. */
  heading: number | null = null;
  trail: TrailPoint[] = [];

  constructor(longitude: number, latitude: number) {
    this.#fromX = this.#toX = xOf(longitude);
    this.#fromY = this.#toY = yOf(latitude);
  }

  /** It has reported from there at `now`. */
  report(longitude: number, latitude: number, now: number, isSmooth: boolean): void {
    const { x, y } = this.at(now);
    const [toX, toY] = [xOf(longitude), yOf(latitude)];
    const since = this.#reportedAt === null ? FIRST_MS : now - this.#reportedAt;
    this.#reportedAt = now;
    // It stands, or is on its way there already.
    if (toX === this.#toX && toY === this.#toY) return;
    // Across the line where the days meet it is the short way, too.
    const dx = toX - x - Math.round(toX - x);
    const dy = toY - y;
    const way = metres(dx, dy, y);
    if (way > LEAST_M) this.heading = Math.atan2(dx, -dy);
    const leaps = way / Math.max(since / 1000, 1) > FASTEST_M_PER_S;
    if (leaps) this.trail = [];
    else if (way > LEAST_M) this.#leave(x, y, now);
    this.#duration = leaps || !isSmooth ? 0 : Math.min(Math.max(since, SHORTEST_MS), LONGEST_MS);
    this.#fromX = toX - dx;
    this.#fromY = y;
    this.#toX = toX;
    this.#toY = toY;
    this.#startedAt = now;
  }

  #leave(x: number, y: number, now: number): void {
    this.trail.push({ x, y, at: now });
    const oldest = now - TRAIL_MS;
    let old = 0;
    while (old < this.trail.length && (this.trail[old]?.at ?? 0) < oldest) old += 1;
    old = Math.max(old, this.trail.length - MOST_POINTS);
    if (old > 0) this.trail.splice(0, old);
  }

  /** Where it is shown at `now`. */
  at(now: number): { x: number; y: number } {
    const part = this.#duration > 0 ? Math.min(1, (now - this.#startedAt) / this.#duration) : 1;
    return {
      x: this.#fromX + (this.#toX - this.#fromX) * part,
      y: this.#fromY + (this.#toY - this.#fromY) * part,
    };
  }

  /** Whether the next frame shows it elsewhere. */
  isMoving(now: number): boolean {
    return now - this.#startedAt < this.#duration;
  }
}
