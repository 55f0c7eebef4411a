import { beforeEach, describe, expect, test } from "vitest";

import { ANSWER_MS, Channel, HANDSHAKE_MS, Refused, SILENCE_MS, type ChannelState, type Feed, type Verdict } from "./channel";
import { FakeWorld, settled, type FakeSocket } from "./fakeWorld";

describe("a channel", () => {
  let world: FakeWorld;
  let states: ChannelState[];
  let messages: unknown[];
  let lists: number;
  let list: (signal: AbortSignal, heard: () => void) => Promise<string>;
  let verdict: Verdict;
  let isMute: boolean;
  let channel: Channel;

  beforeEach(() => {
    world = new FakeWorld();
    states = [];
    messages = [];
    lists = 0;
    list = () => Promise.resolve(`2026-01-01T00:00:0${lists}.000Z`);
    verdict = "yes";
    isMute = false;
    const feed: Feed = {
      path: "/ws/x",
      list: (signal, heard) => {
        lists += 1;
        return list(signal, heard);
      },
      read: (message) => messages.push(message),
      verdict: () => (isMute ? new Promise(() => undefined) : Promise.resolve(verdict)),
    };
    channel = new Channel(world, feed, (state) => states.push(state));
  });

  async function goLive(): Promise<FakeSocket> {
    channel.start();
    await settled();
    world.last.onopen?.();
    return world.last;
  }

  /** The wait passes, and the server lets it in. */
  async function comeBack(): Promise<void> {
    if (channel.state.is === "waiting") await world.pass(channel.state.until - world.time);
    world.last.onopen?.();
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
    old.say("in time");
    old.onclose?.({ code: 1001 });
    await world.pass(500);
    const socket = world.last;
    expect(socket).not.toBe(old);
    socket.onopen?.();
    const told = states.length;
    old.say("late");
    old.onopen?.();
    old.onclose?.({ code: 1006 });
    await world.pass(500);
    expect(messages).toEqual(["in time"]);
    expect(states.length).toBe(told);
    expect([lists, world.last]).toEqual([2, socket]);
    socket.say("of the one that is");
    expect(messages).toEqual(["in time", "of the one that is"]);
  });

  test("says why it waits", async () => {
    for (const [code, why] of [[1001, "restart"], [1013, "overload"], [1006, "lost"]] as const) {
      const socket = channel.state.is === "stopped" ? await goLive() : world.last;
      socket.onclose?.({ code });
      expect(channel.state).toMatchObject({ is: "waiting", why });
      await comeBack();
    }
  });

  test("begins its wait anew only after a connection that lasted", async () => {
    await goLive();
    for (let time = 0; time < 4; time += 1) {
      world.last.onclose?.({ code: 1006 });
      await comeBack();
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
    verdict = "gone";
    world.last.onclose?.({ code: 1006 });
    await settled();
    expect(channel.state).toEqual({ is: "refused", verdict: "gone" });
  });

  test("rests while nobody is logged in, and goes on with the list when the same user is again", async () => {
    const socket = await goLive();
    verdict = "login";
    socket.onclose?.({ code: 1008 });
    await settled();
    expect(channel.state).toEqual({ is: "ended" });
    await world.change(false);
    await world.change(true);
    await world.pass(600_000);
    expect(lists).toBe(1);
    await world.logInAgain();
    expect(lists).toBe(2);
    world.last.onopen?.();
    expect(channel.state).toEqual({ is: "live" });
    // A list can meet the ended session, too.
    world.last.onclose?.({ code: 1006 });
    list = () => Promise.reject(new Refused("login"));
    await world.pass(600_000);
    expect(channel.state).toEqual({ is: "ended" });
    channel.stop();
    await world.logInAgain();
    expect(lists).toBe(3);
  });

  test("a log-in does not begin anew what is live", async () => {
    await goLive();
    await world.logInAgain();
    expect([lists, world.sockets.length]).toEqual([1, 1]);
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

  test("does not wait for ever for a list, a handshake or a verdict", async () => {
    list = () => new Promise(() => undefined);
    channel.start();
    await world.pass(ANSWER_MS);
    expect(channel.state).toMatchObject({ is: "waiting", why: "failed" });
    list = () => Promise.resolve("2026-01-01T00:00:00.000Z");
    await world.pass(500);
    expect(channel.state).toEqual({ is: "connecting" });
    await world.pass(HANDSHAKE_MS);
    expect(world.last.isClosed).toBe(true);
    expect(channel.state).toMatchObject({ is: "waiting", why: "failed" });
    await world.pass(1000);
    isMute = true;
    world.last.onclose?.({ code: 1006 });
    await world.pass(HANDSHAKE_MS);
    expect(channel.state).toMatchObject({ is: "waiting", why: "lost" });
    await world.pass(2000);
    world.last.onopen?.();
    expect(channel.state).toEqual({ is: "live" });
  });

  test("waits for a long list as long as its pages come", async () => {
    list = async (_signal, heard) => {
      for (let page = 0; page < 5; page += 1) {
        await new Promise<void>((resolve) => world.after(ANSWER_MS - 1, resolve));
        heard();
      }
      return "2026-01-01T00:00:00.000Z";
    };
    channel.start();
    await world.pass(5 * ANSWER_MS);
    expect(lists).toBe(1);
    expect(world.sockets.length).toBe(1);
  });

  test("keeps nothing of each look whether the server is there", async () => {
    let listeners = 0;
    list = (signal) => {
      const count = (by: number) => (listeners += by);
      const { addEventListener, removeEventListener } = signal;
      signal.addEventListener = (...of: Parameters<typeof addEventListener>) => {
        count(1);
        addEventListener.apply(signal, of);
      };
      signal.removeEventListener = (...of: Parameters<typeof removeEventListener>) => {
        count(-1);
        removeEventListener.apply(signal, of);
      };
      return Promise.resolve("2026-01-01T00:00:00.000Z");
    };
    await goLive();
    const before = listeners;
    await world.pass(50 * SILENCE_MS);
    expect(channel.state).toEqual({ is: "live" });
    expect(listeners).toBe(before);
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
