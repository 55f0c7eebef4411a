// A rectangle on the screen, as a hand or the keys draw it.

export interface Rectangle {
  /** In pixels, from the left and from the top of the map. */
  left: number;
  top: number;
  right: number;
  bottom: number;
}

interface Size {
  width: number;
  height: number;
}

/** What a key moves at once, in pixels. */
const STEP = 24;
const SMALLEST = 16;

/** Between two points, whichever was first; within the map. */
export function between(x1: number, y1: number, x2: number, y2: number, box: Size): Rectangle {
  const within = (at: number, most: number) => Math.max(0, Math.min(at, most));
  return {
    left: within(Math.min(x1, x2), box.width),
    top: within(Math.min(y1, y2), box.height),
    right: within(Math.max(x1, x2), box.width),
    bottom: within(Math.max(y1, y2), box.height),
  };
}

/** Where the keys begin: the middle half. */
export function middle({ width, height }: Size): Rectangle {
  return { left: width / 4, top: height / 4, right: (3 * width) / 4, bottom: (3 * height) / 4 };
}

/** By an arrow key: moved, or with `resizes` larger or smaller at its right and its bottom. */
export function stepped(
  { left, top, right, bottom }: Rectangle,
  key: string,
  resizes: boolean,
  box: Size,
): Rectangle | null {
  const dx = key === "ArrowLeft" ? -STEP : key === "ArrowRight" ? STEP : 0;
  const dy = key === "ArrowUp" ? -STEP : key === "ArrowDown" ? STEP : 0;
  if (dx === 0 && dy === 0) return null;
  if (resizes) {
    const next = (edge: number, from: number, by: number, most: number) =>
      Math.min(most, Math.max(from + SMALLEST, edge + by));
    return {
      left,
      top,
      right: next(right, left, dx, box.width),
      bottom: next(bottom, top, dy, box.height),
    };
  }
  // It stops at the edges of the map and keeps its size.
  const x = Math.max(-left, Math.min(dx, box.width - right));
  const y = Math.max(-top, Math.min(dy, box.height - bottom));
  return { left: left + x, top: top + y, right: right + x, bottom: bottom + y };
}

/** Whether it is more than a slip of the finger. */
export function isDrawn({ left, top, right, bottom }: Rectangle): boolean {
  return right - left >= 4 && bottom - top >= 4;
}
