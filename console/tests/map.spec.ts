import type { Page } from "@playwright/test";

import { Network } from "./network.ts";
import { expect, logIn, test } from "./stage.ts";

const ROME: [number, number] = [12.4964, 41.9028];

/** Where the card of the chosen vehicle says that it is. */
function position(page: Page) {
  return page.getByRole("region", { name: "bus-1" }).locator("dd.mono");
}

function vehicle(page: Page, name: string) {
  return page.getByRole("region", { name: "Vehicles" }).getByRole("button", { name });
}

/** How many points of the fleet's canvas are painted. */
function painted(page: Page): Promise<number> {
  return page.locator("canvas.fleet").evaluate((canvas: HTMLCanvasElement) => {
    const data = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data;
    return data ? data.filter((value, at) => at % 4 === 3 && value > 200).length : 0;
  });
}

test("vehicles move as they report", async ({ page, server, organization, complaints }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, ROME);
  await page.goto(server.url);
  await logIn(page);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await vehicle(page, "bus-1").click();
  await expect(position(page)).toHaveText("41.90280, 12.49640");
  await expect.poll(() => painted(page)).toBeGreaterThan(20);
  await server.report(bus, [12.4974, 41.9038]);
  await expect(position(page)).toHaveText("41.90380, 12.49740");
  // One that is new has its place in the list without being asked for.
  await server.report(server.device("bus-2", organization), [12.5, 41.91]);
  await expect(vehicle(page, "bus-2")).toContainText("Alpha");
  expect(complaints).toEqual([]);
});

test("nothing is missing after the network was away", async ({ page, server, organization }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, ROME);
  const network = await Network.to(server.port);
  await page.goto(network.url);
  await logIn(page);
  await vehicle(page, "bus-1").click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await network.cut();
  await expect(page.getByText(/^Reconnecting in \d+ s$/)).toBeVisible();
  await server.report(bus, [12.6, 41.95]);
  await network.join();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(position(page)).toHaveText("41.95000, 12.60000");
  await server.report(bus, [12.7, 41.96]);
  await expect(position(page)).toHaveText("41.96000, 12.70000");
  await network.cut();
});

test("a browser without network says so, and goes on by itself", async ({ page, server, organization }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, ROME);
  await page.goto(server.url);
  await logIn(page);
  await vehicle(page, "bus-1").click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await page.context().setOffline(true);
  await expect(page.getByText("Offline", { exact: true })).toBeVisible();
  await server.report(bus, [12.6, 41.95]);
  await page.context().setOffline(false);
  await expect(position(page)).toHaveText("41.95000, 12.60000");
});

test("a server that was killed is found again", async ({ page, server, organization }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, ROME);
  await page.goto(server.url);
  await logIn(page);
  await vehicle(page, "bus-1").click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await server.kill();
  await expect(page.getByText(/^Reconnecting in/)).toBeVisible();
  await server.run();
  await server.report(bus, [12.6, 41.95]);
  await expect(position(page)).toHaveText("41.95000, 12.60000");
});

test("a right that is lost while watching is named", async ({ page, server, organization }) => {
  await server.report(server.device("bus-1", organization), ROME);
  await page.goto(server.url);
  await logIn(page);
  await expect(vehicle(page, "bus-1")).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  server.cli(["user", "set", "ada", "--remove-group", "Operator"]);
  await expect(page.getByRole("alert")).toContainText("geo.view_location");
  await expect(page.getByText("bus-1")).toHaveCount(0);
});

test("a link shows the same view to somebody else", async ({ page, server, organization }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, ROME);
  await server.report(server.device("truck-1", organization), [9.99, 53.55]);
  await page.goto(server.url);
  await logIn(page);
  await vehicle(page, "bus-1").click();
  await page.getByRole("button", { name: "Follow" }).click();
  await page.getByLabel("Search vehicles").fill("bus");
  await expect(vehicle(page, "truck-1")).toHaveCount(0);
  await expect(page).toHaveURL(/follow=.*q=bus/);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await expect(position(other)).toHaveText("41.90280, 12.49640");
  await expect(other.getByRole("button", { name: "Stop following" })).toBeVisible();
  await expect(vehicle(other, "truck-1")).toHaveCount(0);
});

test("names stay text", async ({ page, server, organization, complaints }) => {
  const name = "<img src=x onerror=alert(1)><b>bus</b>";
  await server.report(server.device(name, organization), ROME);
  await page.goto(server.url);
  await logIn(page);
  await page.getByRole("region", { name: "Vehicles" }).getByRole("button", { name }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
  await expect(page.locator("img, b")).toHaveCount(0);
  expect(complaints).toEqual([]);
});

test("a view begins where the fleet is", async ({ page, server, organization }) => {
  await server.report(server.device("bus-1", organization), ROME);
  await server.report(server.device("bus-2", organization), [12.52, 41.92]);
  await page.goto(server.url);
  await logIn(page);
  await expect(page).toHaveURL(/\?at=41\.9\d+,12\.[45]\d+,1\d\./);
});

test("vehicles that stand close are a circle, which opens", async ({ page, server, organization }) => {
  for (let at = 0; at < 5; at += 1) {
    const place: [number, number] = [12.4964 + at * 0.0004, 41.9028];
    await server.report(server.device(`bus-${at}`, organization), place);
  }
  // Far away, so that the view begins from far.
  await server.report(server.device("truck", organization), [9.99, 53.55]);
  await page.goto(server.url);
  await logIn(page);
  await expect(page).toHaveURL(/at=/);
  const zoom = () => Number(/at=[^,]*,[^,]*,([\d.]+)/.exec(page.url())?.[1]);
  await expect.poll(() => painted(page)).toBeGreaterThan(20);
  const before = zoom();
  const box = await page.locator("canvas.fleet").boundingBox();
  const circle = await page.locator("canvas.fleet").evaluate(whereTheSouthernmostIs);
  await page.mouse.click((box?.x ?? 0) + circle.x, (box?.y ?? 0) + circle.y);
  await expect.poll(zoom).toBeGreaterThan(before + 3);
});

/** The middle of what is painted in the southern half of the fleet's canvas, in pixels of the page. */
function whereTheSouthernmostIs(canvas: HTMLCanvasElement): { x: number; y: number } {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d")?.getImageData(0, 0, width, height) ?? { data: [] };
  const half = Math.floor(height / 2);
  let [count, sumX, sumY] = [0, 0, 0];
  for (let y = half; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if ((data[(y * width + x) * 4 + 3] ?? 0) < 200) continue;
      count += 1;
      sumX += x;
      sumY += y;
    }
  }
  const ratio = width / canvas.clientWidth;
  return { x: sumX / count / ratio, y: sumY / count / ratio };
}

test("the map goes along with what is followed, until a hand takes it away", async ({ page, server, organization }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, ROME);
  // The way there would take as long as the report did.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(server.url);
  await logIn(page);
  await vehicle(page, "bus-1").click();
  await page.getByRole("button", { name: "Follow" }).click();
  await expect(page).toHaveURL(/follow=/);
  await server.report(bus, [12.51, 41.91]);
  await expect(position(page)).toHaveText("41.91000, 12.51000");
  // The frame after the next is drawn when the next has been.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  // A key lets go of it, and from there on the address says where the map is.
  await page.locator(".maplibregl-canvas").press("ArrowLeft");
  await expect(page).toHaveURL(/at=41\.91000,12\.5\d*,.*show=/);
  await expect(page.getByRole("button", { name: "Follow", exact: true })).toBeVisible();
});

test("vehicles are filtered by organization, and the silent are counted", async ({ page, server, organization }) => {
  const other = server.organization("Beta");
  server.cli(["user", "set", "ada", "--manages", other]);
  await server.report(server.device("bus-2", other), ROME);
  const reported = Date.now();
  await server.report(server.device("bus-1", organization), ROME);
  // What moved within ten seconds before a connect (and the rest of a second of `Date`) is said again, and the
  // list that is made older below would be contradicted.
  await expect.poll(() => Date.now() - reported).toBeGreaterThan(12_000);
  await page.route("**/location/geojson/**", async (route) => {
    const response = await route.fetch();
    const list = (await response.json()) as { features: { properties: Record<string, unknown> }[] };
    for (const { properties } of list.features) {
      if (properties["name"] === "bus-2") properties["moved"] = "2026-01-01T00:00:00.000000Z";
    }
    await route.fulfill({ response, json: list });
  });
  await page.goto(server.url);
  await logIn(page);
  await expect(page.getByText("1 silent")).toBeVisible();
  await page.getByLabel("Organization").selectOption("Alpha");
  await expect(page.getByText("1 of 2 vehicles")).toBeVisible();
  await expect(page.getByText("silent")).toHaveCount(0);
  await expect(vehicle(page, "bus-2")).toHaveCount(0);
  await expect(page).toHaveURL(new RegExp(`org=${organization}`));
});

test("the map is there after a page that was refused", async ({ page, server, organization }) => {
  await server.report(server.device("bus-1", organization), ROME);
  await page.goto(`${server.url}/devices/5f3b8c5e-6a53-4a52-9d0c-3f9f7f0f9d11`);
  await logIn(page);
  await expect(page.getByRole("alert").first()).toContainText("This is not there");
  await page.getByRole("link", { name: "Map" }).click();
  await expect(page.locator(".maplibregl-canvas")).toBeVisible();
  await expect.poll(() => painted(page)).toBeGreaterThan(20);
});

test("who is looked up for is told that the right is gone", async ({ page, server, organization }) => {
  await server.report(server.device("bus-1", organization), ROME);
  server.user("eve", "--permission", "geo.view_location", "--manages", organization);
  await page.goto(server.url);
  await logIn(page, "eve");
  await expect(vehicle(page, "bus-1")).toBeVisible();
  await expect(page.getByText("Every few seconds", { exact: true })).toBeVisible();
  server.cli(["user", "set", "eve", "--remove-permission", "geo.view_location"]);
  await expect(page.getByRole("alert")).toContainText("geo.view_location");
  await expect(page.getByText("bus-1")).toHaveCount(0);
});

test("whose a new one is, its row says also when the answer is late", async ({ page, server, organization }) => {
  await page.route(/\/location\/[0-9a-f-]{36}\/$/, async (route) => {
    const response = await route.fetch();
    await expect(vehicle(page, "bus-1")).toContainText("…");
    await route.fulfill({ response });
  });
  await page.goto(server.url);
  await logIn(page);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await server.report(server.device("bus-1", organization), ROME);
  await expect(vehicle(page, "bus-1")).toContainText("Alpha");
});

test("land that could not be fetched is fetched again", async ({ page, server, organization }) => {
  await server.report(server.device("bus-1", organization), ROME);
  let asked = 0;
  await page.route(/world-.*\.json$/, (route) => {
    asked += 1;
    return asked === 1 ? route.abort() : route.continue();
  });
  await page.goto(server.url);
  await logIn(page);
  await expect.poll(() => asked).toBe(1);
  await page.getByRole("link", { name: "Devices" }).click();
  await page.getByRole("link", { name: "Map" }).click();
  await expect.poll(() => asked).toBe(2);
});
