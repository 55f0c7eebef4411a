// What the console costs a browser: the real server, the real Chromium. Prints tables in Markdown;
// `bench/README.md` says what of it is worth keeping.

import type { CDPSession, Page } from "@playwright/test";

import type { Server } from "../tests/server.ts";
import { expect, logIn, test } from "../tests/stage.ts";
import { Drive } from "./drive.ts";

const MINUTE_MS = 60_000;
const LOOK_MS = 15_000;
const MINUTES = Number(process.env["MINUTES"] ?? 5);

function print(title: string, heads: string[], rows: (string | number)[][]): void {
  const lines = [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
  console.log(`\n${title}\n\n${lines.join("\n")}\n`);
}

async function fleet(server: Server, organization: string, count: number): Promise<Drive> {
  server.user("root", "--superuser", "--staff");
  const token = String(server.cli(["token", "add", "root"])["token"]);
  const drive = new Drive(server, token);
  await drive.add(count, organization, 0.4);
  return drive;
}

async function open(page: Page, server: Server): Promise<void> {
  await page.goto(server.url);
  await logIn(page);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(page).toHaveURL(/at=/);
}

const kib = (bytes: number) => (bytes / 1024).toFixed(1);

test("first view", async ({ page, server, organization }) => {
  await server.report(server.device("bus-1", organization), [12.4964, 41.9028]);
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const urls = new Map<string, string>();
  const sizes = new Map<string, number>();
  session.on("Network.responseReceived", ({ requestId, response }) => urls.set(requestId, response.url));
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const path = new URL(urls.get(requestId) ?? "http://none/").pathname;
    if (path === "/" || path.startsWith("/assets/")) sizes.set(path, encodedDataLength);
  });
  await page.goto(server.url);
  await expect(page.getByRole("button", { name: "Log in" })).toBeVisible();
  const logInBytes = sum(sizes);
  await logIn(page);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  // A machine that is busy has moments without a request before all is there.
  const isThere = (name: string) => [...sizes.keys()].some((path) => path.includes(name));
  await expect.poll(() => isThere("world") && isThere("places"), { timeout: 60_000 }).toBe(true);
  await page.waitForLoadState("networkidle");
  const library = [...sizes].filter(([path]) => path.includes("maplibre"));
  const libraryBytes = library.reduce((all, [, bytes]) => all + bytes, 0);
  print("First view, bytes as received (with headers)", ["view", "KiB"], [
    ["log-in", kib(logInBytes)],
    ["log-in and map, without the map library", kib(sum(sizes) - libraryBytes)],
    ["the map library (MapLibre GL and its worker)", kib(libraryBytes)],
    ...[...sizes].map(([path, bytes]) => [`- ${path}`, kib(bytes)]),
  ]);
  expect(sum(sizes) - libraryBytes).toBeLessThan(300 * 1024);
});

function sum(sizes: Map<string, number>): number {
  return [...sizes.values()].reduce((all, bytes) => all + bytes, 0);
}

/** Times between frames, in milliseconds, while `act` goes on. */
async function frames(page: Page, act: () => Promise<void>): Promise<(string | number)[]> {
  await page.evaluate(() => {
    const state = window as unknown as { gaps: number[]; isOn: boolean };
    state.gaps = [];
    state.isOn = true;
    let before = performance.now();
    const step = (now: number) => {
      state.gaps.push(now - before);
      before = now;
      if (state.isOn) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  });
  await act();
  const gaps = await page.evaluate(() => {
    const state = window as unknown as { gaps: number[]; isOn: boolean };
    state.isOn = false;
    return state.gaps;
  });
  const sorted = gaps.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? NaN).toFixed(1);
  const seconds = gaps.reduce((all, gap) => all + gap, 0) / 1000;
  return [(gaps.length / seconds).toFixed(1), at(0.5), at(0.95), at(0.99)];
}

test("frames a second with 10,000 vehicles", async ({ page, server, organization }) => {
  const drive = await fleet(server, organization, 10_000);
  drive.start(10_000);
  await open(page, server);
  await expect(page.getByText("10,000 vehicles")).toBeVisible();
  const heads = ["10,000 vehicles, each reports every 10 s", "frames/s", "median ms", "95 % ms", "99 % ms"];
  const rows: (string | number)[][] = [];
  const stand = () => page.waitForTimeout(LOOK_MS);
  rows.push(["whole fleet, the map stands", ...(await frames(page, stand))]);
  rows.push(["whole fleet, the map is dragged", ...(await frames(page, () => drag(page)))]);
  for (let step = 0; step < 3; step += 1) await page.getByRole("button", { name: "Zoom in" }).click();
  rows.push(["nearer, the map stands", ...(await frames(page, stand))]);
  rows.push(["nearer, the map is dragged", ...(await frames(page, () => drag(page)))]);
  // What the map itself costs here: the most that any fleet could have.
  await page.getByRole("searchbox", { name: "Search vehicles" }).fill("none of them");
  await expect(page.getByText("0 of 10,000 vehicles")).toBeVisible();
  rows.push(["none of them is drawn, the map is dragged", ...(await frames(page, () => drag(page)))]);
  drive.stop();
  print(`Reports answered: ${drive.reported}, failed: ${drive.failed}`, heads, rows);
});

/** A hand moves the map to and fro. */
async function drag(page: Page): Promise<void> {
  const end = Date.now() + LOOK_MS;
  await page.mouse.move(800, 450);
  await page.mouse.down();
  for (let step = 0; Date.now() < end; step += 1) {
    await page.mouse.move(800 + 150 * Math.sin(step / 12), 450 + 100 * Math.cos(step / 15));
    await page.waitForTimeout(8);
  }
  await page.mouse.up();
}

test("long tasks and heap with 1,000 moving vehicles", async ({ page, server, organization }) => {
  const drive = await fleet(server, organization, 1000);
  drive.start(1000);
  await open(page, server);
  await page.evaluate(() => {
    const state = window as unknown as { tasks: number[] };
    state.tasks = [];
    new PerformanceObserver((list) => {
      state.tasks.push(...list.getEntries().map((it) => it.duration));
    }).observe({ type: "longtask" });
  });
  const session = await page.context().newCDPSession(page);
  const rows: (string | number)[][] = [];
  for (let minute = 0; minute <= MINUTES; minute += 1) {
    if (minute > 0) await page.waitForTimeout(MINUTE_MS);
    const tasks = await page.evaluate(() => {
      const state = window as unknown as { tasks: number[] };
      return state.tasks.splice(0);
    });
    const longest = tasks.length > 0 ? Math.max(...tasks).toFixed(0) : "none";
    rows.push([minute, (await heap(session)).toFixed(1), tasks.length, longest]);
    console.log(rows.at(-1)?.join(" | "));
  }
  drive.stop();
  const heads = ["minute", "heap after a collection, MiB", "long tasks (over 50 ms)", "longest, ms"];
  print(`1,000 vehicles, each reports every second; reports answered: ${drive.reported}, failed: ${drive.failed}`, heads, rows);
});

/** What is alive, in MiB. */
async function heap(session: CDPSession): Promise<number> {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return usedSize / 2 ** 20;
}
