import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { MOST_SOCKETS, RowSockets } from "./rowSockets";

let open: Set<string>;
let sockets: RowSockets;

beforeEach(() => {
  vi.useFakeTimers();
  open = new Set();
  sockets = new RowSockets((device) => {
    open.add(device);
    return { stop: () => open.delete(device) };
  });
});

afterEach(() => vi.useRealTimers());

test("sockets are opened for where the view rests, and no more than so many", () => {
  sockets.want(["a", "b"]);
  sockets.want(["b", "c"]);
  expect(open).toEqual(new Set());
  vi.runAllTimers();
  expect(open).toEqual(new Set(["b", "c"]));
  sockets.want(["c", "d"]);
  vi.runAllTimers();
  expect(open).toEqual(new Set(["c", "d"]));
  sockets.want(Array.from({ length: 1000 }, (_, at) => String(at)));
  vi.runAllTimers();
  expect(open.size).toBe(MOST_SOCKETS);
});

test("who scrolls on and on does not wait for ever", () => {
  for (let at = 0; at < 20; at += 1) {
    sockets.want([String(at)]);
    vi.advanceTimersByTime(100);
  }
  expect(open.size).toBe(1);
});

test("what was stopped stays stopped, whoever still wants something of it", () => {
  sockets.want(["a"]);
  vi.runAllTimers();
  sockets.want(["b"]);
  sockets.stop();
  sockets.want(["c"]);
  vi.runAllTimers();
  expect(open).toEqual(new Set());
});
