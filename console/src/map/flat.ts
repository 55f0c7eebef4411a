// What each of our maps is: flat, with the north above, and of our own origin.

import "maplibre-gl/dist/maplibre-gl.css";

import { AttributionControl, Map as BaseMap, setWorkerUrl, type MapOptions } from "maplibre-gl";
// A file of our own origin: the policy takes no other worker.
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";

setWorkerUrl(workerUrl);

/** A map in `container` that nobody turns or tilts, with nothing on it yet; `label` is for screen readers. */
export function flatMap(
  container: HTMLElement,
  label: string,
  options: Omit<MapOptions, "container" | "style">,
): BaseMap {
  const map = new BaseMap({
    container,
    style: { version: 8, sources: {}, layers: [] },
    minZoom: 0.5,
    maxZoom: 20,
    maxPitch: 0,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    attributionControl: false,
    locale: { "Map.Title": label },
    ...options,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new AttributionControl({ compact: true }), "bottom-right");
  return map;
}
