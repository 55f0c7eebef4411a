import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Me } from "../api/rights";
import type { Command } from "../live/commands";
import { stubPage } from "./fakePage";

// Each test has modules of its own; the first one waits until they are compiled, on a busy machine for long.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** What the server says to each path; other paths are not there. */
let answers: Record<string, () => Response | Promise<Response>>;
let asked: string[];

const DEVICE = "/api/v1/controller/device/d/";
const LAST = `${DEVICE}command/?page_size=20`;
const ME = "/api/v1/users/me/";

beforeEach(() => {
  stubPage();
  answers = {};
  asked = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    return answers[path]?.() ?? Response.json({ detail: "Not found." }, { status: 404 });
  });
  vi.resetModules();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function command(id: string, status: Command["status"], created: number): Command {
  const at = new Date(Date.UTC(2026, 0, 1, 0, 0, created)).toISOString();
  return { id, status, created: at, modified: at, output: "", type: "Custom Command", input: null } as Command;
}

function lists(...commands: Command[]) {
  answers[LAST] = () => Response.json({ count: commands.length, next: null, results: commands });
}

/** Twenty that have ended, newer than any other. */
const newest = Array.from({ length: 20 }, (_, at) => command(`new-${at}`, "success", 100 + at));

describe("the commands of a device", () => {
  async function begin() {
    const [{ Commands }, feeds] = await Promise.all([import("../live/commands"), import("./feeds")]);
    const store = new Commands(() => undefined);
    const list = () => feeds.listCommands("d", store, new AbortController().signal, () => undefined);
    return { store, list, feeds };
  }

  test("that ran and are behind the newest twenty are asked for one by one", async () => {
    const { store, list } = await begin();
    lists(command("old", "in-progress", 1), command("gone", "in-progress", 2), command("done", "success", 3));
    await list();
    expect(store.open()).toEqual(["old", "gone"]);
    lists(...newest);
    answers[`${DEVICE}command/old/`] = () => Response.json({ ...command("old", "failed", 1), modified: "2026-01-02T00:00:00Z" });
    asked = [];
    await list();
    expect(asked).toEqual([LAST, `${DEVICE}command/old/`, `${DEVICE}command/gone/`]);
    expect(store.get("old")?.status).toBe("failed");
    expect(store.get("gone")).toBeUndefined();
    expect(store.open()).toEqual([]);
  });

  test("are listed with the moment of the answer, from which on the socket says what changes", async () => {
    const { list } = await begin();
    const date = new Date(Date.now() - 5000).toUTCString();
    answers[LAST] = () => Response.json({ count: 0, next: null, results: [] }, { headers: { Date: date } });
    expect(await list()).toBe(new Date(date).toISOString());
  });

  test("a list that failed is worth asking again, one that was refused is not", async () => {
    const { feeds, list } = await begin();
    answers[ME] = () => Response.json({ id: "ada", permissions: [] });
    for (const [status, verdict] of [[401, "login"], [403, "right"], [404, "gone"]] as const) {
      answers[LAST] = () => Response.json({}, { status });
      await expect(feeds.refusedWhereFinal(list)).rejects.toMatchObject({ verdict });
    }
    for (const status of [429, 500, 503]) {
      answers[LAST] = () => Response.json({}, { status });
      await expect(feeds.refusedWhereFinal(list)).rejects.toMatchObject({ status });
    }
  });

  test("whether one may listen is what the server says of us now", async () => {
    const { feeds } = await begin();
    const mayListen = (me: Me) => me.permissions.includes("geo.view_location");
    answers[ME] = () => Response.json({ id: "ada", permissions: ["geo.view_location"] });
    expect(await feeds.verdict(mayListen)).toBe("yes");
    answers[ME] = () => Response.json({ id: "ada", permissions: [] });
    expect(await feeds.verdict(mayListen)).toBe("right");
    answers[ME] = () => Response.json({}, { status: 401 });
    expect(await feeds.verdict(mayListen)).toBe("login");
  });
});

describe("who may see commands and not listen", () => {
  const me = { id: "eve", permissions: ["connection.view_command"], organizations: [] } as unknown as Me;

  async function open() {
    const [{ DeviceState }, { live }] = await Promise.all([import("./device.svelte"), import("./live.svelte")]);
    const page = new DeviceState(me, "d");
    vi.useFakeTimers();
    page.start();
    await vi.advanceTimersByTimeAsync(0);
    return { page, live };
  }

  test("is shown what is new every few seconds, and no socket is opened", async () => {
    vi.stubGlobal("WebSocket", () => {
      throw new Error("a socket was opened");
    });
    lists(command("a", "in-progress", 1));
    const { page, live } = await open();
    expect(live.isPolled).toBe(true);
    expect(page.commands.map((it) => it.status)).toEqual(["in-progress"]);
    lists({ ...command("a", "success", 1), modified: "2026-01-02T00:00:00Z" });
    await vi.advanceTimersByTimeAsync(5000);
    expect(page.commands.map((it) => it.status)).toEqual(["success"]);
    page.stop();
    expect(live.isPolled).toBe(false);
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked.length).toBe(before);
  });

  test("is told when that right is lost, too, and is not asked about any more", async () => {
    lists(command("a", "in-progress", 1));
    const { page, live } = await open();
    answers[LAST] = () => Response.json({}, { status: 403 });
    answers[ME] = () => Response.json({ ...me, permissions: [] });
    await vi.advanceTimersByTimeAsync(5000);
    expect(page.refused).toBe("right");
    expect(live.isPolled).toBe(false);
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked.length).toBe(before);
    page.stop();
  });
});

describe("a batch for a file", () => {
  const BATCH = "/api/v1/controller/batch-command/b/";

  async function open() {
    const { BatchState } = await import("./batch.svelte");
    return new BatchState({ id: "eve", permissions: [], organizations: [] } as unknown as Me, "b");
  }

  test("is the batch as it is at that moment", async () => {
    const page = await open();
    answers[BATCH] = () => Response.json({ id: "b", status: "in-progress" });
    await page.settled();
    answers[BATCH] = () => Response.json({ id: "b", status: "success" });
    await page.settled();
    expect(page.batch?.status).toBe("success");
    page.stop();
  });

  test("is there without a network, too", async () => {
    const page = await open();
    answers[BATCH] = () => Promise.reject(new TypeError("no network"));
    expect(await page.settled()).toEqual([]);
    page.stop();
  });
});
