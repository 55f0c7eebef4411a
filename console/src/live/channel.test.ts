import { beforeEach, describe, expect, test } from "vitest";

import { Channel, HANDSHAKE_MS, Refused, SILENCE_MS, type ChannelState, type Feed, type Verdict } from "./channel";
import { FakeWorld, settled, type FakeSocket } from "./fakeWorld";

describe("a channel", () => {
  let world: FakeWorld;
  let states: ChannelState[];
  let messages: unknown[];
  let lists: number;
  let list: () => Promise<string>;
  let verdict: Verdict;
  let channel: Channel;

  beforeEach(() => {
    world = new FakeWorld();
    states = [];
    messages = [];
    lists = 0;
    list = () => Promise.resolve(`2026-01-01T00:00:0${lists}.000Z`);
    verdict = "yes";
    const feed: Feed = {
      path: "/ws/x",
      list: () => {
        lists += 1;
        return list();
      },
      read: (message) => messages.push(message),
      verdict: () => Promise.resolve(verdict),
    };
    channel = new Channel(world, feed, (state) => states.push(state));
  });

  async function goLive(): Promise<FakeSocket> {
    channel.start();
    await settled();
    world.last.onopen?.();
    return world.last;
  }

  /** Passes the time until the next attempt. */
  async function untilTried(): Promise<void> {
    await settled();
    const { state } = channel;
    if (state.is !== "waiting") throw new Error(`it does not wait: ${state.is}`);
    await world.pass(state.until - world.time);
  }

  test("asks for the list, then for what changed since", async () => {
    const socket = await goLive();
    expect(socket.path).toBe("/ws/x?since=2026-01-01T00%3A00%3A01.000Z");
    expect(states).toEqual([{ is: "connecting" }, { is: "live" }]);
    socket.say({ a: 1 });
    expect(messages).toEqual([{ a: 1 }]);
  });

  test("comes back with the list and a new since, longer after each failure", async () => {
    const socket = await goLive();
    socket.onclose?.({ code: 1006 });
    expect(channel.state).toEqual({ is: "waiting", until: 500, why: "lost" });
    await world.pass(500);
    expect(lists).toBe(2);
    world.last.onclose?.({ code: 1006 });
    await settled();
    expect(channel.state).toMatchObject({ is: "waiting", until: 500 + 1000 });
    await world.pass(1000);
    world.last.onopen?.();
    expect(channel.state).toEqual({ is: "live" });
    expect(world.last.path).toContain("00%3A03.000Z");
  });

  test("hears nothing of a socket that it left", async () => {
    const old = await goLive();
    const handlers = { message: old.onmessage, close: old.onclose };
    old.onclose?.({ code: 1001 });
    await world.pass(500);
    world.last.onopen?.();
    const before = channel.state;
    old.onmessage?.({ data: '"late"' });
    handlers.message?.({ data: '"of a handler that was taken before"' });
    handlers.close?.({ code: 1006 });
    expect(messages).toEqual([]);
    expect(channel.state).toBe(before);
  });

  test("a handshake that is never answered ends, and is tried again", async () => {
    channel.start();
    await settled();
    const silent = world.last;
    await world.pass(HANDSHAKE_MS);
    expect(silent.isClosed).toBe(true);
    expect(channel.state).toMatchObject({ is: "waiting", why: "failed" });
    await untilTried();
    world.last.onopen?.();
    // What comes of the first one is of no interest any more.
    await world.pass(HANDSHAKE_MS - 1);
    expect(channel.state).toEqual({ is: "live" });
  });

  test("says why it waits", async () => {
    for (const [code, why] of [[1001, "restart"], [1013, "overload"], [1006, "lost"]] as const) {
      const socket = channel.state.is === "stopped" ? await goLive() : world.last;
      socket.onclose?.({ code });
      expect(channel.state).toMatchObject({ is: "waiting", why });
      await untilTried();
      world.last.onopen?.();
    }
  });

  test("begins its wait anew only after a connection that lasted", async () => {
    await goLive();
    for (let time = 0; time < 4; time += 1) {
      world.last.onclose?.({ code: 1006 });
      await untilTried();
      world.last.onopen?.();
    }
    world.last.onclose?.({ code: 1006 });
    expect(channel.state).toMatchObject({ until: world.time + 8000 });
    await world.pass(8000);
    world.last.onopen?.();
    await world.pass(31_000);
    world.last.onclose?.({ code: 1006 });
    expect(channel.state).toMatchObject({ until: world.time + 500 });
  });

  test("gives up where the right is gone, and says so", async () => {
    const socket = await goLive();
    verdict = "right";
    socket.onclose?.({ code: 1008 });
    await settled();
    expect(channel.state).toEqual({ is: "refused", verdict: "right" });
    await world.pass(120_000);
    expect(world.sockets.length).toBe(1);
  });

  test("asks about a handshake that failed, for a browser does not say why", async () => {
    channel.start();
    await settled();
    verdict = "login";
    world.last.onclose?.({ code: 1006 });
    await settled();
    expect(channel.state).toEqual({ is: "refused", verdict: "login" });
  });

  test("a list that is refused is not asked for again, one that failed is", async () => {
    list = () => Promise.reject(new Error("no network"));
    channel.start();
    await settled();
    expect(channel.state).toMatchObject({ is: "waiting", why: "failed" });
    list = () => Promise.reject(new Refused("right"));
    await world.pass(500);
    expect(channel.state).toEqual({ is: "refused", verdict: "right" });
    await world.pass(120_000);
    expect(lists).toBe(2);
  });

  test("waits for the network without trying, and is there at once when it is back", async () => {
    const socket = await goLive();
    await world.change(false);
    expect(socket.isClosed).toBe(true);
    expect(channel.state).toEqual({ is: "offline" });
    await world.pass(600_000);
    expect(lists).toBe(1);
    await world.change(true);
    world.last.onopen?.();
    expect(channel.state).toEqual({ is: "live" });
  });

  test("finds out about a network that died without a word", async () => {
    const socket = await goLive();
    await world.pass(SILENCE_MS);
    expect(channel.state).toEqual({ is: "live" });
    world.healthy = false;
    await world.pass(SILENCE_MS);
    expect(socket.isClosed).toBe(true);
    expect(states.at(-1)).toMatchObject({ is: "waiting", why: "silent" });
  });

  test("does not ask whether the server is there while it speaks", async () => {
    const socket = await goLive();
    world.healthy = false;
    for (let time = 0; time < 20; time += 1) {
      await world.pass(SILENCE_MS / 4);
      socket.say(time);
    }
    expect(channel.state).toEqual({ is: "live" });
  });

  test("a person need not wait", async () => {
    const socket = await goLive();
    socket.onclose?.({ code: 1006 });
    channel.retry();
    await settled();
    world.last.onopen?.();
    expect(channel.state).toEqual({ is: "live" });
    expect(world.sockets.length).toBe(2);
  });

  test("leaves nothing behind when it is stopped", async () => {
    const socket = await goLive();
    channel.stop();
    expect(socket.isClosed).toBe(true);
    expect(world.timers).toBe(0);
    await world.change(true);
    await world.pass(600_000);
    expect(lists).toBe(1);
    expect(channel.state).toEqual({ is: "stopped" });
  });

  test("a list that comes after the stop opens nothing", async () => {
    channel.start();
    channel.stop();
    await settled();
    expect(world.sockets).toEqual([]);
  });
});
