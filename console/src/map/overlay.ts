// The vehicles, drawn above the map on a canvas of their own: while they move and the map does not, the
// map need not be drawn again.

import { texts } from "../texts";
import { cluster, type Cluster, type Spot } from "./cluster";
import { drawGrid } from "./grid";
import type { Motion } from "./motion";
import { TRAIL_MS } from "./motion";
import type { Palette } from "./palette";
import { REACH, Sprites } from "./sprites";

/** Something to draw. */
export interface Vehicle {
  readonly id: string;
  name: string;
  motion: Motion;
  /** When it reported last, by the server's clock. */
  heardAt: number;
  /** Whether search and filter let it through. */
  isShown: boolean;
}

/** How the map stands; it is neither turned nor tilted. */
export interface Camera {
  /** On the square of `mercator.ts`. */
  x: number;
  y: number;
  /** The square's side in pixels. */
  worldSize: number;
  zoom: number;
  width: number;
  height: number;
}

export interface Scene {
  vehicles: Iterable<Vehicle>;
  chosen: string | null;
  hovered: string | null;
  /** By the server's clock. */
  now: number;
  /** Of what reported before that, nothing is known any more. */
  staleBefore: number;
  hasGrid: boolean;
}

interface Drawn extends Spot {
  vehicle: Vehicle;
}

/** What is at a point of the screen. */
export type Hit = { is: "vehicle"; vehicle: Vehicle } | { is: "cluster"; members: Vehicle[] } | null;

/** From that zoom on nothing is grouped: streets are far enough apart. */
const APART_ZOOM = 15;
/** Names are written when there is room for them. */
const MOST_NAMES = 60;
const NAMES_ZOOM = 11;
/** So many trails are drawn at most, so that a frame stays one. */
const MOST_TRAILS = 1500;
const SHADES = 5;

export class Overlay {
  readonly #context: CanvasRenderingContext2D;
  #sprites: Sprites;
  #palette: Palette;
  #ratio = 1;
  #single: Drawn[] = [];
  #clusters: Cluster<Drawn>[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    palette: Palette,
  ) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser draws no canvas");
    this.#context = context;
    this.#palette = palette;
    this.#sprites = new Sprites(palette, this.#ratio);
  }

  set palette(palette: Palette) {
    this.#palette = palette;
    this.#sprites = new Sprites(palette, this.#ratio);
  }

  /** Fits the canvas to its place on the page. */
  resize(width: number, height: number, ratio: number): void {
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (ratio !== this.#ratio) this.#sprites = new Sprites(this.#palette, ratio);
    this.#ratio = ratio;
  }

  /** Draws a frame at `time` (a frame's clock); answers whether the next one will look otherwise. */
  draw(camera: Camera, scene: Scene, time: number): boolean {
    const context = this.#context;
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.clearRect(0, 0, camera.width, camera.height);
    if (scene.hasGrid) drawGrid(context, camera, this.#palette);
    const isMoving = this.#arrange(camera, scene, time);
    this.#trails(camera, time);
    this.#circles();
    for (const { x, y, vehicle } of this.#single) {
      const isStale = vehicle.heardAt < scene.staleBefore;
      const kind = vehicle.id === scene.chosen ? "chosen" : isStale ? "stale" : "vehicle";
      this.#sprites.copy(context, kind, vehicle.motion.heading, x, y);
    }
    this.#names(camera, scene);
    return isMoving;
  }

  /** Says where everything is on the screen, and what of it is grouped. */
  #arrange(camera: Camera, scene: Scene, time: number): boolean {
    const { worldSize, width, height } = camera;
    const spots: Drawn[] = [];
    let special: Drawn | null = null;
    let isMoving = false;
    for (const vehicle of scene.vehicles) {
      const isChosen = vehicle.id === scene.chosen;
      if (!vehicle.isShown && !isChosen) continue;
      isMoving ||= vehicle.motion.isMoving(time);
      const at = vehicle.motion.at(time);
      const dx = at.x - camera.x;
      const x = (dx - Math.round(dx)) * worldSize + width / 2;
      const y = (at.y - camera.y) * worldSize + height / 2;
      if (x < -REACH || y < -REACH || x > width + REACH || y > height + REACH) continue;
      const drawn = { x, y, vehicle };
      if (isChosen) special = drawn;
      else spots.push(drawn);
    }
    if (camera.zoom >= APART_ZOOM) {
      this.#single = spots;
      this.#clusters = [];
    } else {
      // The grid is fixed to the world at whole steps of the zoom.
      const originX = width / 2 - (camera.x * worldSize) % (60 * 1024);
      const originY = height / 2 - (camera.y * worldSize) % (60 * 1024);
      const grouped = cluster(spots, originX, originY);
      this.#single = grouped.single;
      this.#clusters = grouped.clusters;
    }
    // The last is drawn on top.
    if (special) this.#single.push(special);
    return isMoving;
  }

  /** Fading lines: a stroke a shade, not one a piece. */
  #trails(camera: Camera, time: number): void {
    const context = this.#context;
    const { worldSize, width, height } = camera;
    const shades = Array.from({ length: SHADES }, () => new Path2D());
    for (const { x: endX, y: endY, vehicle } of this.#single.slice(-MOST_TRAILS)) {
      const { trail } = vehicle.motion;
      let toX = endX;
      let toY = endY;
      for (let at = trail.length - 1; at >= 0; at -= 1) {
        const point = trail[at];
        if (!point) break;
        const age = (time - point.at) / TRAIL_MS;
        if (age >= 1) break;
        const dx = point.x - camera.x;
        const x = (dx - Math.round(dx)) * worldSize + width / 2;
        const y = (point.y - camera.y) * worldSize + height / 2;
        const shade = shades[Math.floor(age * SHADES)];
        shade?.moveTo(toX, toY);
        shade?.lineTo(x, y);
        toX = x;
        toY = y;
      }
    }
    context.strokeStyle = this.#palette.trail;
    context.lineWidth = 2.2;
    context.lineCap = "round";
    shades.forEach((shade, index) => {
      context.globalAlpha = 0.6 * (1 - index / SHADES);
      context.stroke(shade);
    });
    context.globalAlpha = 1;
  }

  #circles(): void {
    const context = this.#context;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { x, y, members } of this.#clusters) {
      const radius = radiusOf(members.length);
      context.beginPath();
      context.arc(x, y, radius + 4, 0, 2 * Math.PI);
      context.fillStyle = this.#palette.cluster;
      context.globalAlpha = 0.22;
      context.fill();
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = this.#palette.clusterInk;
      context.font = "600 13px system-ui, sans-serif";
      context.fillText(texts.map.together(members.length), x, y + 0.5);
    }
  }

  /** Names beside the signs, as far as they hide neither a sign nor each other. */
  #names(camera: Camera, scene: Scene): void {
    const isMeant = ({ id }: Vehicle) => id === scene.chosen || id === scene.hovered;
    const meant = this.#single.filter((it) => isMeant(it.vehicle));
    const isRoomy = camera.zoom >= NAMES_ZOOM && this.#single.length <= MOST_NAMES;
    const others = isRoomy ? this.#single.filter((it) => !isMeant(it.vehicle)) : [];
    const taken: Box[] = others.map(({ x, y }) => ({ x: x - 7, y: y - 7, width: 14, height: 14 }));
    const context = this.#context;
    context.font = "500 12px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "middle";
    for (const { x, y, vehicle } of [...meant, ...others]) {
      const text = vehicle.name.length > 40 ? `${vehicle.name.slice(0, 39)}…` : vehicle.name;
      const width = context.measureText(text).width + 10;
      const box = { x: x + REACH - 1, y: y - 9, width, height: 18 };
      if (!isMeant(vehicle) && taken.some((it) => isOver(it, box))) continue;
      taken.push(box);
      context.fillStyle = this.#palette.labelPaper;
      context.beginPath();
      context.roundRect(box.x, box.y, box.width, box.height, 5);
      context.fill();
      context.fillStyle = this.#palette.label;
      context.fillText(text, x + REACH + 4, y + 0.5);
    }
  }

  /** What is drawn there, nearest first. */
  hit(x: number, y: number): Hit {
    let nearest: Drawn | null = null;
    let distance = REACH + 4;
    for (const drawn of this.#single) {
      const away = Math.hypot(drawn.x - x, drawn.y - y);
      if (away <= distance) [nearest, distance] = [drawn, away];
    }
    if (nearest) return { is: "vehicle", vehicle: nearest.vehicle };
    const circle = this.#clusters.find(
      (it) => Math.hypot(it.x - x, it.y - y) <= radiusOf(it.members.length) + 4,
    );
    return circle ? { is: "cluster", members: circle.members.map((it) => it.vehicle) } : null;
  }
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function isOver(a: Box, b: Box): boolean {
  return (
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
  );
}

function radiusOf(count: number): number {
  return 11 + 4 * Math.log10(count);
}
