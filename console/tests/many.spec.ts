import { readFileSync } from "node:fs";

import type { Page } from "@playwright/test";

import { expectAccessible } from "./axe.ts";
import { Network } from "./network.ts";
import { signal, test as reached } from "./reached.ts";
import { PASSWORD, type Server } from "./server.ts";
import { SshServer } from "./sshd.ts";
import { expect, logIn } from "./stage.ts";

interface Fleet {
  /** Devices that commands can be run on, each by an SSH server of its own, by name. */
  fleet: Map<string, string>;
  /** One that has no login. */
  bare: string;
}

const NAMES = ["bus-1", "bus-2", "bus-10"];

const test = reached.extend<Fleet>({
  fleet: async ({ server, organization }, use) => {
    const servers: SshServer[] = [];
    const fleet = new Map<string, string>();
    for (const name of NAMES) {
      const ssh = await SshServer.start();
      servers.push(ssh);
      fleet.set(name, server.device(name, organization).id);
      await ssh.reach(server, name, organization, `login-${name}`);
    }
    await use(fleet);
    for (const ssh of servers) ssh.remove();
  },
  bare: async ({ server, organization }, use) => use(server.device("bare", organization).id),
});

const rows = (page: Page) => page.locator("[data-result]");
const row = (page: Page, name: string) => rows(page).filter({ has: page.getByText(name, { exact: true }) });

/** Chooses all that fit, and looks at what would be done. */
async function check(page: Page, line: string): Promise<void> {
  await page.getByRole("checkbox", { name: /^All that fit/ }).check();
  await page.getByLabel("Command line").fill(line);
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
}

/** Runs what was checked; returns when the page of the batch is there. */
async function runChecked(page: Page, name: RegExp | string = /^Run on/): Promise<void> {
  await page.getByRole("dialog").getByRole("button", { name }).click();
  await expect(page).toHaveURL(/\/batches\/[0-9a-f-]{36}$/);
}

async function start(page: Page, server: Server, line: string): Promise<void> {
  await page.goto(`${server.url}/run`);
  await logIn(page);
  await check(page, line);
  await runChecked(page);
}

test("one command runs on many, and lines appear", async ({ page, server, fleet, bare, complaints }) => {
  const go = signal(`many-${bare}`);
  await page.goto(`${server.url}/batches`);
  await logIn(page);
  await expect(page.getByText("No command was run on many devices yet.")).toBeVisible();
  await page.getByRole("link", { name: "Run on many" }).click();
  await check(page, `echo first; ${go.wait}; echo second; exit 3`);
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("It runs on 3 devices.");
  await expect(dialog).toContainText("1 device is left out:");
  await dialog.getByText("Device has no credentials assigned.").click();
  await expect(dialog.getByText("bare", { exact: true })).toBeVisible();
  await expectAccessible(page);
  await runChecked(page, "Run on 3 devices");
  for (const name of fleet.keys()) await expect(row(page, name)).toContainText("first");
  await expect(row(page, "bare")).toContainText("Left out");
  // As people count.
  await expect(rows(page).locator(".list-name")).toHaveText(["bare", "bus-1", "bus-2", "bus-10"]);
  await expect(page.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "1");
  await expectAccessible(page);
  // A page that is loaded in the middle goes on.
  await page.reload();
  await expect(row(page, "bus-2")).toContainText("first");
  go.give();
  await expect(page.getByText("4 of 4 devices finished")).toBeVisible();
  await expect(row(page, "bus-10")).toContainText("Failed exit 3");
  await expect(row(page, "bus-10")).toContainText("exit code: 3");
  await page.getByRole("button", { name: /^Left out/ }).click();
  await expect(rows(page)).toHaveCount(1);
  await expect(page).toHaveURL(/status=skipped/);
  await page.getByRole("button", { name: /^All/ }).click();
  await row(page, "bus-2").click();
  await expect(page.getByRole("log", { name: "Output" })).toContainText("second");
  expect(complaints).toEqual([]);
});

test("the rest is cancelled, and what failed is run again", async ({ page, server, fleet }) => {
  await start(page, server, "echo begun; exec sleep 600");
  for (const name of fleet.keys()) await expect(row(page, name)).toContainText("begun");
  await page.getByRole("button", { name: "Cancel the rest" }).click();
  await expect(page.getByText("3 of 3 devices finished")).toBeVisible();
  await expect(row(page, "bus-1")).toContainText("cancelled by ada");
  await page.getByRole("link", { name: "Run again on the 3 that failed" }).click();
  await expect(page.getByLabel("Command line")).toHaveValue("echo begun; exec sleep 600");
  await expect(page.getByRole("checkbox", { name: "bus-1", exact: false }).first()).toBeChecked();
  await page.getByLabel("Command line").fill("echo well");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await runChecked(page, "Run on 3 devices");
  await expect(page.getByText("3 of 3 devices finished")).toBeVisible();
  await expect(row(page, "bus-1")).toContainText("Succeeded");
  await page.getByRole("link", { name: "Batches" }).click();
  const list = page.getByRole("list", { name: "Batches" });
  await expect(list.getByRole("link")).toHaveCount(2);
  await expect(list.getByRole("link").first()).toContainText("echo well");
  await expectAccessible(page);
});

test("the results are saved, and none of them becomes a formula", async ({ page, server, fleet, bare }) => {
  server.cli(["device", "set", "bus-2", "--name", '=cmd|"x",1']);
  await start(page, server, "echo '-1+1, \"so\"'");
  await expect(page.getByText("4 of 4 devices finished")).toBeVisible();
  const saved = async (name: string) => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name }).click(),
    ]);
    return readFileSync(await download.path(), "utf8");
  };
  const csv = await saved("Download CSV");
  expect(csv).toContain("\ufeffdevice,organization,status,exit_code,last_line,reason,device_id,command_id\r\n");
  expect(csv).toContain(`"'=cmd|""x"",1",Alpha,success,0,"'-1+1, ""so""",,${fleet.get("bus-2") ?? ""},`);
  expect(csv).toContain(`bare,Alpha,skipped,,,Device has no credentials assigned.,${bare},`);
  const json = JSON.parse(await saved("Download JSON")) as { status: string; total: number; results: { device: string; last_line: string }[] };
  expect([json.status, json.total]).toEqual(["success", 4]);
  expect(json.results.find((it) => it.device === fleet.get("bus-1"))?.last_line).toBe('-1+1, "so"');
});

test("hostile output and names stay text", async ({ page, server, fleet, complaints }) => {
  const markup = "<img src=x onerror=alert(1)><b>bold</b>";
  expect(fleet.size).toBe(3);
  server.cli(["device", "set", "bus-2", "--name", markup]);
  await start(page, server, `printf '\\033[31m%s\\033[0m\\033]0;title\\007\\n' '${markup}'`);
  await expect(page.getByText("3 of 3 devices finished")).toBeVisible();
  await expect(rows(page).locator(".line").first()).toHaveText(markup);
  await expect(rows(page).locator(".list-name").filter({ hasText: markup })).toHaveCount(1);
  await expect(page.locator("img, b")).toHaveCount(0);
  expect(complaints).toEqual([]);
});

test("nothing is missing after the network was away", async ({ page, server, fleet }) => {
  const go = signal(`many-away-${fleet.get("bus-1") ?? ""}`);
  const network = await Network.to(server.port);
  await page.goto(`${network.url}/run`);
  await logIn(page);
  await check(page, `echo before; ${go.wait}; echo after`);
  await runChecked(page);
  for (const name of fleet.keys()) await expect(row(page, name)).toContainText("before");
  await network.cut();
  await expect(page.getByText(/^Reconnecting in/)).toBeVisible();
  go.give();
  await network.join();
  await expect(page.getByText("3 of 3 devices finished")).toBeVisible();
  for (const name of fleet.keys()) await expect(row(page, name)).toContainText("after");
  await network.cut();
});

test("who may run nothing does not see it, and who loses a right is told", async ({ page, server, fleet }) => {
  server.user("eve");
  await page.goto(server.url);
  await page.getByLabel("User name or e-mail address").fill("eve");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("button", { name: "Account of eve" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Batches" })).toHaveCount(0);
  await page.goto(`${server.url}/run`);
  await expect(page.getByRole("alert")).toContainText("connection.add_command");
  await expect(page.getByRole("button", { name: "Check" })).toHaveCount(0);
  await page.goto(`${server.url}/batches`);
  await expect(page.getByRole("alert")).toContainText("connection.view_command");
  await page.context().clearCookies();
  await start(page, server, "echo begun; exec sleep 600");
  for (const name of fleet.keys()) await expect(row(page, name)).toContainText("begun");
  server.cli(["user", "set", "ada", "--remove-group", "Operator"]);
  await expect(page.getByRole("alert").first()).toContainText("connection.view_command");
  await expect(rows(page)).toHaveCount(0);
});

test("devices are chosen by search, by box, by keys and with the shift key", async ({ page, server, organization }) => {
  for (const name of ["bus-1", "bus-2", "bus-3", "tram-1"]) server.device(name, organization);
  await page.goto(`${server.url}/run`);
  await logIn(page);
  const box = (name: string) => page.getByRole("checkbox", { name });
  await page.getByLabel("Search by name, address or MAC address").fill("bus");
  await expect(box("tram-1")).toHaveCount(0);
  await box("bus-1").focus();
  await page.keyboard.press("Space");
  await box("bus-3").click({ modifiers: ["Shift"] });
  const chosen = page.getByRole("region", { name: "1. Devices" }).getByRole("status");
  await expect(chosen).toHaveText("3 devices chosen");
  await page.getByLabel("Search by name, address or MAC address").fill("tram");
  await expect(chosen).toHaveText("3 devices chosen, 3 of them not shown");
  await box("tram-1").check();
  await expect(chosen).toHaveText("4 devices chosen, 3 of them not shown");
  // Its address says it all.
  await page.reload();
  await expect(chosen).toHaveText("4 devices chosen, 3 of them not shown");
  await page.getByRole("button", { name: "Choose none" }).click();
  await expect(chosen).toHaveText("None chosen");
  await expect(page.getByRole("button", { name: "Check", exact: true })).toBeDisabled();
  await expectAccessible(page);
});

test("what is in a rectangle of the map is chosen, with a pointer and with the keys", async ({ page, server, organization }) => {
  const rome: [number, number] = [12.4964, 41.9028];
  await server.report(server.device("bus-1", organization), rome);
  await server.report(server.device("bus-2", organization), [12.4966, 41.903]);
  await server.report(server.device("truck-1", organization), [9.99, 53.55]);
  await page.goto(`${server.url}/?at=41.9028,12.4964,12&choose=1`);
  await logIn(page);
  const stage = page.getByRole("application", { name: "Rectangle on the map" });
  await expect(stage).toBeFocused();
  await expect(page.getByText("3 vehicles", { exact: true })).toBeVisible();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByText("2 vehicles in it")).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/run\?area=.*devices=all/);
  const chosen = page.getByRole("region", { name: "1. Devices" }).getByRole("status");
  await expect(chosen).toHaveText("2 devices chosen");
  await expect(page.getByRole("checkbox", { name: "truck-1" })).toHaveCount(0);
  await page.getByRole("link", { name: "Choose on the map" }).click();
  await expect(stage).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(stage).toHaveCount(0);
  await page.getByRole("button", { name: "Choose with a rectangle" }).click();
  await expect(stage).toBeFocused();
  await page.mouse.move(360, 60);
  await page.mouse.down();
  await page.mouse.move(1210, 790);
  await page.mouse.up();
  await expect(page.getByText(/^3 vehicles in it$/)).toBeVisible();
  await page.getByRole("button", { name: "Run a command on these" }).click();
  await expect(chosen).toHaveText("3 devices chosen");
});

test("an organization that is lost meanwhile takes its devices along", async ({ page, server, organization }) => {
  const other = server.organization("Beta");
  server.cli(["user", "set", "ada", "--manages", other]);
  for (const name of ["bus-1", "bus-2"]) server.device(name, organization);
  server.device("truck-1", other);
  await page.goto(`${server.url}/run`);
  await logIn(page);
  await page.getByRole("checkbox", { name: /^All that fit \(3\)/ }).check();
  server.cli(["user", "set", "ada", "--remove-manages", other]);
  await page.getByLabel("Command line").fill("uptime");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("One device is not there any more, or not yours to see.");
  await page.getByRole("button", { name: "Go on without them" }).click();
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("It runs on no device.");
  await expect(page.getByRole("dialog")).toContainText("2 devices are left out:");
  await expect(page.getByRole("dialog").getByRole("button", { name: /^Run on/ })).toHaveCount(0);
});

test("a search on the map is one of vehicles, also when they are chosen by a rectangle", async ({ page, server, organization }) => {
  const devices = ["router-1", "router-2", "bus-3"].map((name) => server.device(name, organization));
  for (const device of devices) await server.report(device, [12.4964, 41.9028]);
  for (const { id, name } of server.list(["location", "list"])) {
    const called = { "router-1": "Bus 1", "router-2": "Bus 2", "bus-3": "Tram 3" }[String(name)];
    server.cli(["location", "set", id, "--name", called ?? ""]);
  }
  await page.goto(`${server.url}/?at=41.9028,12.4964,12&q=bus&choose=1`);
  await logIn(page);
  const stage = page.getByRole("application", { name: "Rectangle on the map" });
  await expect(stage).toBeFocused();
  await expect(page.getByText("2 of 3 vehicles")).toBeVisible();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByText("2 vehicles in it")).toBeVisible();
  await page.keyboard.press("Enter");
  const chosen = page.getByRole("region", { name: "1. Devices" }).getByRole("status");
  await expect(chosen).toHaveText("2 devices chosen");
  await expect(page.getByRole("checkbox", { name: "router-1" })).toBeChecked();
  await page.reload();
  await expect(chosen).toHaveText("2 devices chosen");
});
