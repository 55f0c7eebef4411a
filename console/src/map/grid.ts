// Lines of longitude and latitude where the map itself has no more to show, so that movement and
// distances are seen.

import { latitudeOf, longitudeOf, xOf, yOf } from "./mercator";
import type { Camera } from "./overlay";
import type { Palette } from "./palette";

const STEPS = [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005];

/** Lines are at least that far apart, in pixels. */
const LEAST_PX = 90;

const FROM_ZOOM = 8;

export function drawGrid(
  context: CanvasRenderingContext2D,
  camera: Camera,
  palette: Palette,
): void {
  const { x, y, worldSize, width, height, zoom } = camera;
  const perDegree = worldSize / 360;
  const step = STEPS.findLast((it) => it * perDegree >= LEAST_PX);
  if (step === undefined || zoom < FROM_ZOOM) return;
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  const west = longitudeOf(x - width / 2 / worldSize);
  const east = longitudeOf(x + width / 2 / worldSize);
  const north = latitudeOf(y - height / 2 / worldSize);
  const south = latitudeOf(y + height / 2 / worldSize);
  context.strokeStyle = palette.grid;
  context.fillStyle = palette.gridInk;
  context.lineWidth = 1;
  context.font = "10px system-ui, sans-serif";
  context.beginPath();
  context.textAlign = "center";
  context.textBaseline = "bottom";
  for (let at = Math.ceil(west / step); at * step <= east; at += 1) {
    const px = Math.round((xOf(at * step) - x) * worldSize + width / 2) + 0.5;
    context.moveTo(px, 0);
    context.lineTo(px, height);
    context.fillText(`${(at * step).toFixed(digits)}°`, px, height - 4);
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let at = Math.ceil(south / step); at * step <= north; at += 1) {
    const py = Math.round((yOf(at * step) - y) * worldSize + height / 2) + 0.5;
    context.moveTo(0, py);
    context.lineTo(width, py);
    context.fillText(`${(at * step).toFixed(digits)}°`, width - 6, py);
  }
  context.stroke();
}
