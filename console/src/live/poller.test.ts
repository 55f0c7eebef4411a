import { expect, test } from "vitest";

import { Refused, type ChannelState, type World } from "./channel";
import { LATEST_MS, Poller, RARELY_MS, SOON_MS, type Pace } from "./poller";

/** A world whose time passes when the test says so. */
class FakeWorld implements World {
  time = 0;
  online = true;
  #timers: { at: number; call: () => void }[] = [];
  #changed: () => void = () => undefined;

  open(): never {
    throw new Error("a poller opens no socket");
  }

  now = () => this.time;
  random = () => 0.5;
  isOnline = () => this.online;
  answers = () => Promise.resolve(true);

  after(ms: number, call: () => void) {
    const timer = { at: this.time + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((it) => it !== timer);
    };
  }

  onChange(call: () => void) {
    this.#changed = call;
    return () => undefined;
  }

  set(online: boolean) {
    this.online = online;
    this.#changed();
  }

  /** Until the next timer; answers with how long that was. */
  async next(): Promise<number> {
    await settled();
    const [timer] = this.#timers.sort((a, b) => a.at - b.at);
    if (!timer) return Infinity;
    this.#timers = this.#timers.filter((it) => it !== timer);
    const waited = timer.at - this.time;
    this.time = timer.at;
    timer.call();
    await settled();
    return waited;
  }
}

const settled = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

function polling(look: () => Pace) {
  const world = new FakeWorld();
  const states: ChannelState["is"][] = [];
  const poller = new Poller(
    world,
    () => Promise.resolve().then(look),
    ({ is }) => states.push(is),
  );
  poller.start();
  return { world, states, poller };
}

test("often while something changes, less and less often while nothing does", async () => {
  let pace: Pace = "soon";
  const { world } = polling(() => pace);
  expect(await world.next()).toBe(SOON_MS);
  expect(await world.next()).toBe(SOON_MS);
  pace = "later";
  const waits = [];
  for (let turn = 0; turn < 12; turn += 1) waits.push(await world.next());
  expect(waits.toSorted((a, b) => a - b)).toEqual(waits);
  expect(waits.at(-1)).toBe(LATEST_MS);
  pace = "soon";
  await world.next();
  expect(await world.next()).toBe(SOON_MS);
  pace = "rarely";
  await world.next();
  expect(await world.next()).toBe(RARELY_MS);
});

test("a server that does not answer is asked later each time, and at once when somebody wants it", async () => {
  let isThere = false;
  const { world, states, poller } = polling(() => {
    if (!isThere) throw new Error("no answer");
    return "soon";
  });
  const first = await world.next();
  expect(await world.next()).toBe(2 * first);
  expect(states).toEqual(["connecting", "waiting", "connecting", "waiting", "connecting", "waiting"]);
  isThere = true;
  poller.retry();
  await settled();
  expect(states.at(-1)).toBe("live");
});

test("without a network nothing is asked, and with it at once", async () => {
  let asked = 0;
  const { world, states } = polling(() => {
    asked += 1;
    return "soon";
  });
  await settled();
  world.set(false);
  expect(states.at(-1)).toBe("offline");
  expect(await world.next()).toBe(Infinity);
  expect(asked).toBe(1);
  world.set(true);
  await settled();
  expect(states.at(-1)).toBe("live");
  expect(asked).toBe(2);
});

test("a refusal is final", async () => {
  const { world, states, poller } = polling(() => {
    throw new Refused("right");
  });
  expect(await world.next()).toBe(Infinity);
  world.set(false);
  world.set(true);
  poller.retry();
  expect(states).toEqual(["connecting", "refused"]);
});
