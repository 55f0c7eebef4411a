// Where there is no graphics card the processor draws the map, and takes the longer the more points it
// has. There it is drawn coarsely while it is moved, and sharply again as soon as it rests.

import type { Map as BaseMap } from "maplibre-gl";

/** A frame that takes longer than that is seen as a jerk. */
const SLOW_MS = 60;
/** What took longer than that was no frame of a movement, but a pause before it. */
const PAUSE_MS = 1000;
/** So many in a row are no accident. */
const SLOW_FRAMES = 5;
/** Half as many points each way: a quarter of the work. */
const COARSE = 0.5;
/** So long it has rested when it is drawn sharply: who drags again and again has it coarse in between. */
const REST_MS = 250;

export class Sharpness {
  #slow = 0;
  #isSlow = false;
  #isCoarse = false;
  #renderedAt = 0;
  #rest: ReturnType<typeof setTimeout> | undefined;

  /** `quietly` has whatever the map tells of what it is called for taken for nothing. */
  constructor(
    private readonly map: BaseMap,
    private readonly quietly: (work: () => void) => void,
  ) {
    map.on("render", () => this.#look());
  }

  remove(): void {
    clearTimeout(this.#rest);
  }

  /** A hand or an animation moves the map. */
  begin(): void {
    clearTimeout(this.#rest);
    if (this.#isSlow) this.#draw(true);
  }

  /** It does not any more. */
  end(): void {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      if (!this.map.isMoving()) this.#draw(false);
    }, REST_MS);
  }

  #look(): void {
    const now = performance.now();
    const gap = now - this.#renderedAt;
    this.#renderedAt = now;
    if (this.#isSlow || !this.map.isMoving() || gap > PAUSE_MS) return;
    this.#slow = gap > SLOW_MS ? this.#slow + 1 : 0;
    if (this.#slow < SLOW_FRAMES) return;
    this.#isSlow = true;
    // Not amid a frame.
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      if (this.map.isMoving()) this.#draw(true);
    });
  }

  #draw(isCoarse: boolean): void {
    if (isCoarse === this.#isCoarse) return;
    this.#isCoarse = isCoarse;
    const ratio = window.devicePixelRatio || 1;
    this.quietly(() => this.map.setPixelRatio(isCoarse ? ratio * COARSE : ratio));
  }
}
