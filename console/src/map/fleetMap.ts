// The map with the fleet on it: MapLibre below, the vehicles above, and what a hand does to both.

import { LngLatBounds, ScaleControl, type Map as BaseMap } from "maplibre-gl";

import { serverNow } from "../api/client";
import { texts } from "../texts";
import { areaOf, type Area } from "./area";
import { configuredTiles, styleOf } from "./basemap";
import { flatMap } from "./flat";
import { latitudeOf, longitudeOf, xOf, yOf } from "./mercator";
import { Overlay, type Camera, type Hit, type Vehicle } from "./overlay";
import { DARK, LIGHT, type Palette } from "./palette";
import type { Rectangle } from "./rectangle";
import { Sharpness } from "./sharpness";
import { STALE_MS } from "./stale";
import type { MapView } from "./view";

/** From that width on there is room beside the list. */
const WIDE_PX = 720;

/** Nearer than that is a choice for people, not for "show all". */
const FIT_ZOOM = 15;

/** One vehicle is looked at from at least as near as that. */
const NEAR_ZOOM = 14;

/** The land is fetched again after that, where it could not be fetched. */
const LAND_AGAIN_MS = 15_000;

/** Where nothing is known of any vehicle. */
const WORLD = { center: [10, 30] as [number, number], zoom: 1.6 };

/** What the page is told. */
export interface Hands {
  /** A vehicle was chosen, or none. */
  choose(id: string | null): void;
  /** The map was moved by hand, or has come to rest. */
  moved(at: NonNullable<MapView["at"]>): void;
  /** A hand took the map away from what it followed. */
  letGo(): void;
}

export class FleetMap {
  readonly #map: BaseMap;
  readonly #overlay: Overlay;
  readonly #canvas: HTMLCanvasElement;
  readonly #sharpness: Sharpness;
  readonly #tiles = configuredTiles();
  #vehicles: ReadonlyMap<string, Vehicle> = new Map();
  #palette: Palette;
  #chosen: string | null = null;
  #hovered: string | null = null;
  #isFollowing = false;
  /** Where the middle was last put, as it was wanted and as it became. */
  #held = { x: 0, y: 0, longitude: 0, latitude: 0 };
  #isOurs = false;
  #isOver = false;
  #frame = 0;
  #look: ReturnType<typeof setInterval>;
  #watcher: ResizeObserver;
  #landAgain: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly box: HTMLElement,
    isDark: boolean,
    at: MapView["at"],
    private readonly hands: Hands,
  ) {
    this.#palette = isDark ? DARK : LIGHT;
    const start = at ? { center: [at.longitude, at.latitude] as [number, number], zoom: at.zoom } : WORLD;
    this.#map = flatMap(box, texts.map.label, start);
    this.#map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-right");
    this.#canvas = document.createElement("canvas");
    this.#canvas.className = "fleet";
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#map.getCanvasContainer().append(this.#canvas);
    this.#overlay = new Overlay(this.#canvas, this.#palette);
    this.#sharpness = new Sharpness(this.#map, (work) => this.#quietly(work));
    this.#listen();
    this.#watcher = new ResizeObserver(() => this.#resize());
    this.#watcher.observe(box);
    this.#resize();
    // What is drawn grows old also when nothing moves.
    this.#look = setInterval(() => this.redraw(), 1000);
    void this.#dress();
  }

  /** Ends it. */
  remove(): void {
    cancelAnimationFrame(this.#frame);
    clearInterval(this.#look);
    clearTimeout(this.#landAgain);
    this.#isOver = true;
    this.#watcher.disconnect();
    this.#sharpness.remove();
    this.#map.remove();
  }

  set vehicles(vehicles: ReadonlyMap<string, Vehicle>) {
    this.#vehicles = vehicles;
    this.redraw();
  }

  set isDark(isDark: boolean) {
    const palette = isDark ? DARK : LIGHT;
    if (palette === this.#palette) return;
    this.#palette = palette;
    this.#overlay.palette = palette;
    void this.#dress();
    this.redraw();
  }

  /** The vehicle that stands out, and whether the map goes along with it. */
  choose(id: string | null, isFollowed: boolean): void {
    const isNew = id !== this.#chosen || isFollowed !== this.#isFollowing;
    this.#chosen = id;
    this.#isFollowing = isFollowed;
    if (isNew && isFollowed && this.#map.getZoom() < 13) this.goTo(id);
    this.redraw();
  }

  goTo(id: string | null, { isAtOnce = false } = {}): void {
    const vehicle = id === null ? undefined : this.#vehicles.get(id);
    if (!vehicle) return;
    const { x, y } = vehicle.motion.at(performance.now());
    this.#map.easeTo({
      center: [longitudeOf(x), latitudeOf(y)],
      zoom: Math.max(this.#map.getZoom(), NEAR_ZOOM),
      duration: isAtOnce ? 0 : 600,
    });
  }

  /** The rectangle of the map between two points of the box, in pixels. */
  areaOf({ left, top, right, bottom }: Rectangle): Area {
    const northWest = this.#map.unproject([left, top]);
    const southEast = this.#map.unproject([right, bottom]);
    return areaOf(northWest.lng, southEast.lat, southEast.lng, northWest.lat);
  }

  zoomBy(steps: number): void {
    this.#map.easeTo({ zoom: this.#map.getZoom() + steps, duration: 250 });
  }

  /** Shows all of them. */
  fit(vehicles: Iterable<Vehicle>, isAtOnce = false): void {
    const bounds = new LngLatBounds();
    const now = performance.now();
    for (const { motion } of vehicles) {
      const { x, y } = motion.at(now);
      bounds.extend([longitudeOf(x), latitudeOf(y)]);
    }
    if (bounds.isEmpty()) return;
    const isWide = this.box.clientWidth >= WIDE_PX;
    const padding = { top: 60, right: 60, bottom: 60, left: isWide ? 380 : 60 };
    this.#map.fitBounds(bounds, { padding, maxZoom: FIT_ZOOM, duration: isAtOnce ? 0 : 600 });
  }

  /** Draws the next frame, and those after it for as long as something moves. */
  redraw(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame((time) => {
      this.#frame = 0;
      if (this.#draw(time)) this.redraw();
    });
  }

  #draw(time: number): boolean {
    const followed = this.#isFollowing && this.#chosen ? this.#vehicles.get(this.#chosen) : null;
    if (followed && !this.#map.isMoving()) this.#goAlong(followed.motion.at(time));
    const now = serverNow();
    const scene = {
      vehicles: this.#vehicles.values(),
      chosen: this.#chosen,
      hovered: this.#hovered,
      now,
      staleBefore: now - STALE_MS,
      hasGrid: this.#tiles === null,
    };
    return this.#overlay.draw(this.#camera(), scene, time);
  }

  /** Has the map's middle there. */
  #goAlong({ x, y }: { x: number; y: number }): void {
    const held = this.#held;
    const before = this.#map.getCenter();
    const isThere = before.lng === held.longitude && before.lat === held.latitude;
    if (isThere && x === held.x && y === held.y) return;
    this.#quietly(() => this.#map.jumpTo({ center: [longitudeOf(x), latitudeOf(y)] }));
    const { lng, lat } = this.#map.getCenter();
    this.#held = { x, y, longitude: lng, latitude: lat };
  }

  /** Does something to the map that is no movement of a hand's: its events come before it returns. */
  #quietly(work: () => void): void {
    this.#isOurs = true;
    work();
    this.#isOurs = false;
  }

  #camera(): Camera {
    const { lng, lat } = this.#map.getCenter();
    const zoom = this.#map.getZoom();
    return {
      x: xOf(lng),
      y: yOf(lat),
      // MapLibre's tiles are 512 pixels wide.
      worldSize: 512 * 2 ** zoom,
      zoom,
      width: this.box.clientWidth,
      height: this.box.clientHeight,
    };
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.box;
    this.#map.resize();
    this.#overlay.resize(clientWidth, clientHeight, window.devicePixelRatio || 1);
    this.redraw();
  }

  async #dress(): Promise<void> {
    const palette = this.#palette;
    clearTimeout(this.#landAgain);
    const style = await styleOf(palette, this.#tiles).catch((error: unknown) => {
      // Vehicles are seen without land, too.
      console.warn(error);
      return null;
    });
    if (this.#isOver || palette !== this.#palette) return;
    if (!style) {
      this.#landAgain = setTimeout(() => void this.#dress(), LAND_AGAIN_MS);
      return;
    }
    this.#map.setStyle(style, { diff: true });
    // Where there is little room its text would lie on the map: it is behind its button.
    if (this.box.clientWidth < WIDE_PX) void this.#map.once("idle", () => this.#foldAttribution());
  }

  #foldAttribution(): void {
    const attribution = this.box.querySelector(".maplibregl-ctrl-attrib");
    attribution?.classList.remove("maplibregl-compact-show");
    attribution?.removeAttribute("open");
  }

  #listen(): void {
    const map = this.#map;
    map.on("move", () => this.redraw());
    map.on("movestart", () => {
      if (!this.#isOurs) this.#sharpness.begin();
    });
    map.on("moveend", () => {
      if (this.#isOurs) return;
      this.#sharpness.end();
      const { lng, lat } = map.getCenter();
      const longitude = ((((lng + 180) % 360) + 360) % 360) - 180;
      this.hands.moved({ longitude, latitude: lat, zoom: map.getZoom() });
    });
    map.on("dragstart", () => this.hands.letGo());
    // So do the keys that pan; those that zoom keep what is followed.
    map.getCanvas().addEventListener("keydown", ({ key }) => {
      if (key.startsWith("Arrow")) this.hands.letGo();
    });
    map.on("click", ({ point }) => this.#click(this.#overlay.hit(point.x, point.y)));
    map.on("mousemove", ({ point }) => {
      const hit = this.#overlay.hit(point.x, point.y);
      map.getCanvas().style.cursor = hit ? "pointer" : "";
      const hovered = hit?.is === "vehicle" ? hit.vehicle.id : null;
      if (hovered === this.#hovered) return;
      this.#hovered = hovered;
      this.redraw();
    });
  }

  #click(hit: Hit): void {
    if (hit?.is !== "cluster") return this.hands.choose(hit?.vehicle.id ?? null);
    this.hands.letGo();
    this.fit(hit.members);
  }
}
