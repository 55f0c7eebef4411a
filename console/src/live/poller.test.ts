import { expect, test } from "vitest";

import { ANSWER_MS, Refused, type ChannelState } from "./channel";
import { FakeWorld, settled } from "./fakeWorld";
import { LATEST_MS, Poller, RARELY_MS, SOON_MS, type Pace } from "./poller";

function polling(look: () => Pace | Promise<Pace>) {
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
  await world.change(false);
  expect(states.at(-1)).toBe("offline");
  expect(await world.next()).toBe(Infinity);
  expect(asked).toBe(1);
  await world.change(true);
  await settled();
  expect(states.at(-1)).toBe("live");
  expect(asked).toBe(2);
});

test("a refusal is final", async () => {
  const { world, states, poller } = polling(() => {
    throw new Refused("right");
  });
  expect(await world.next()).toBe(Infinity);
  await world.change(false);
  await world.change(true);
  poller.retry();
  expect(states).toEqual(["connecting", "refused"]);
});

test("while nobody is logged in it rests, and looks at once when the same user is again", async () => {
  let isIn = false;
  const { world, states } = polling(() => {
    if (!isIn) throw new Refused("login");
    return "soon";
  });
  expect(await world.next()).toBe(Infinity);
  await world.change(false);
  await world.change(true);
  expect(states).toEqual(["connecting", "ended"]);
  isIn = true;
  await world.logInAgain();
  expect(states.slice(2)).toEqual(["connecting", "live"]);
});

test("an answer that does not come is not waited for, and is not called live", async () => {
  let isMute = false;
  const { world, poller } = polling(() => (isMute ? new Promise<Pace>(() => undefined) : "soon"));
  await settled();
  expect(poller.state).toEqual({ is: "live" });
  isMute = true;
  await world.pass(SOON_MS + ANSWER_MS);
  expect(poller.state).toMatchObject({ is: "waiting", why: "failed" });
  isMute = false;
  await world.pass(ANSWER_MS);
  expect(poller.state).toEqual({ is: "live" });
});

test("how soon is for who looks to say", async () => {
  const world = new FakeWorld();
  const poller = new Poller(world, () => Promise.resolve("later"), () => undefined, 12_000);
  poller.start();
  expect(await world.next()).toBe(12_000);
  expect(await world.next()).toBe(12_000);
});
