// A small map on which one point is placed: by a click, by dragging it, or with the arrow keys.

import { Marker, NavigationControl, type Map as BaseMap } from "maplibre-gl";

import { texts } from "../texts";
import { configuredTiles, styleOf } from "./basemap";
import { flatMap } from "./flat";
import { DARK, LIGHT } from "./palette";

/** Longitude and latitude in degrees. */
export type Point = [number, number];

/** How far an arrow key moves the point, in pixels. */
const STEP = 8;
/** Near enough to drag; without tiles there is nothing to see from nearer. */
const NEAR = { tiles: 14, drawn: 9 };
const WORLD = { center: [10, 30] as Point, zoom: 1 };

/** The Earth as degrees are written: six digits are a tenth of a metre. */
export function rounded([longitude, latitude]: Point): Point {
  const wrapped = ((((longitude + 180) % 360) + 360) % 360) - 180;
  const round = (degrees: number) => Math.round(degrees * 1e6) / 1e6;
  return [round(wrapped), round(Math.min(90, Math.max(-90, latitude)))];
}

export class PointMap {
  readonly #map: BaseMap;
  readonly #marker: Marker;
  readonly #tiles = configuredTiles();
  #isThere = false;
  #isOff = false;

  constructor(
    box: HTMLElement,
    handle: HTMLElement,
    isDark: boolean,
    point: Point | null,
    private readonly placed: (point: Point) => void,
  ) {
    const start = point ? { center: point, zoom: this.#tiles ? NEAR.tiles : NEAR.drawn } : WORLD;
    this.#map = flatMap(box, texts.admin.fields.pointMap, { ...start, scrollZoom: false });
    this.#map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.#marker = new Marker({ element: handle, draggable: true, anchor: "center" });
    this.#marker.on("dragend", () => this.#tell());
    this.#map.on("click", ({ lngLat }) => {
      if (!this.#isOff) this.placed(rounded([lngLat.lng, lngLat.lat]));
    });
    handle.addEventListener("keydown", (event) => this.#onKey(event));
    this.point = point;
    void this.#dress(isDark);
  }

  remove(): void {
    this.#map.remove();
  }

  /** Nobody may move it. */
  set isOff(isOff: boolean) {
    this.#isOff = isOff;
    this.#marker.setDraggable(!isOff);
  }

  set point(point: Point | null) {
    if (!point) {
      this.#marker.remove();
      this.#isThere = false;
      return;
    }
    this.#marker.setLngLat(point);
    if (!this.#isThere) this.#marker.addTo(this.#map);
    this.#isThere = true;
    if (!this.#map.getBounds().contains(point)) this.#map.easeTo({ center: point, duration: 300 });
  }

  set isDark(isDark: boolean) {
    void this.#dress(isDark);
  }

  async #dress(isDark: boolean): Promise<void> {
    try {
      this.#map.setStyle(await styleOf(isDark ? DARK : LIGHT, this.#tiles), { diff: true });
    } catch (error) {
      // The point is placed without land, too.
      console.warn(error);
    }
  }

  #tell(): void {
    const { lng, lat } = this.#marker.getLngLat();
    this.placed(rounded([lng, lat]));
  }

  #onKey(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, -STEP],
      ArrowDown: [0, STEP],
    };
    const step = steps[event.key];
    if (!step || this.#isOff) return;
    event.preventDefault();
    event.stopPropagation();
    const { x, y } = this.#map.project(this.#marker.getLngLat());
    this.#marker.setLngLat(this.#map.unproject([x + step[0], y + step[1]]));
    this.#tell();
  }
}
