import { expect, test } from "vitest";

import { FakeWorld } from "./fakeWorld";
import { BEAT_MS, Pulse, type PulseState } from "./pulse";

function begin() {
  const world = new FakeWorld();
  const states: PulseState[] = [];
  const pulse = new Pulse(world, (state) => states.push(state));
  pulse.start();
  return { world, pulse, state: () => states.at(-1) };
}

test("a server that goes is waited for longer each time, and seen when it is back", async () => {
  const { world, state } = begin();
  await world.pass(0);
  expect(state()).toEqual({ is: "reached" });
  world.healthy = false;
  await world.pass(BEAT_MS);
  expect(state()).toEqual({ is: "waiting", until: BEAT_MS + 500, why: "failed" });
  await world.pass(500);
  expect(state()).toEqual({ is: "waiting", until: BEAT_MS + 1500, why: "failed" });
  world.healthy = true;
  await world.pass(1000);
  expect(state()).toEqual({ is: "reached" });
});

test("a lost network is told at once, and so is its return", async () => {
  const { world, state } = begin();
  await world.change(false);
  expect(state()).toEqual({ is: "offline" });
  await world.change(true);
  expect(state()).toEqual({ is: "reached" });
});

test("who does not want to wait need not", async () => {
  const { world, pulse, state } = begin();
  world.healthy = false;
  await world.pass(BEAT_MS);
  world.healthy = true;
  pulse.retry();
  await world.pass(0);
  expect(state()).toEqual({ is: "reached" });
});

test("one that was stopped asks no more", async () => {
  const { world, pulse } = begin();
  await world.pass(0);
  pulse.stop();
  expect(world.timers).toBe(0);
});
