import type { Page } from "@playwright/test";

import { expectAccessible } from "./axe.ts";
import { output, run, status } from "./reached.ts";
import { PASSWORD } from "./server.ts";
import { SshServer } from "./sshd.ts";
import { expect, logIn, test } from "./stage.ts";

const ROME: [number, number] = [12.4964, 41.9028];

/** A superuser at a page of the administration. */
async function asRoot(page: Page, server: { url: string; user(...flags: string[]): void }, path = "") {
  server.user("root", "--superuser");
  await page.goto(`${server.url}/admin${path}`);
  await logIn(page, "root");
}

async function open(page: Page, kind: string) {
  await page.getByRole("navigation", { name: "Administration" }).getByRole("link", { name: kind }).click();
  await expect(page.getByRole("heading", { name: kind })).toBeVisible();
}

/** Adds what was entered, and waits until it is there. */
async function add(page: Page, name: string) {
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
}

async function save(page: Page) {
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
}

test("an operator who was made in the console sees what the rights allow", async ({
  page,
  server,
  browser,
  complaints,
}) => {
  await asRoot(page, server);
  await page.getByRole("link", { name: "Add an organization" }).click();
  await page.getByLabel("Name").fill("Alpha");
  await add(page, "Alpha");
  await open(page, "Users");
  await page.getByRole("link", { name: "Add a user" }).click();
  await page.getByLabel("User name").fill("ada");
  await page.getByLabel("E-mail address").fill("ada@example.org");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("checkbox", { name: "Operator" }).check();
  await page.getByRole("combobox", { name: "Alpha" }).selectOption("manager");
  await add(page, "ada");
  await expectAccessible(page);
  expect(complaints).toEqual([]);

  const other = await (await browser.newContext()).newPage();
  await other.goto(server.url);
  await logIn(other, "ada");
  await expect(other.getByText("Live", { exact: true })).toBeVisible();
  await other.getByRole("link", { name: "Administration" }).click();
  const kinds = other.getByRole("navigation", { name: "Administration" }).getByRole("link");
  await expect(kinds).toHaveText(["Devices", "Locations"]);
  // What is not shown is not to be had by its address either.
  await other.goto(`${server.url}/admin/users`);
  await expect(other.getByRole("alert")).toContainText("nothing here that you may administer");

  // What is taken away is gone; what is removed cannot log in.
  await page.getByRole("checkbox", { name: "Active" }).uncheck();
  await save(page);
  await other.goto(server.url);
  await expect(other.getByRole("button", { name: "Log in" })).toBeVisible();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("Remove “ada” for good?");
  await page.getByRole("dialog").getByRole("button", { name: "Keep it" }).click();
  await expect(page.getByRole("heading", { name: "ada" })).toBeVisible();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("cell", { name: "root" })).toBeVisible();
  await expect(page.getByRole("cell", { name: "ada" })).toHaveCount(0);
  await other.context().close();
});

test("a device, its credential and its connection are made here, and a command runs on it", async ({
  page,
  server,
  organization,
}) => {
  expect(organization).not.toBe("");
  const ssh = await SshServer.start();
  await asRoot(page, server, "/credentials");
  await page.getByRole("link", { name: "Add a credential" }).click();
  await page.getByLabel("Name", { exact: false }).first().fill("login");
  await page.getByLabel("User name on the device").fill(process.env["FLEETWIRE_TEST_SSH_USER"] ?? "");
  await page.getByLabel("Password").fill(process.env["FLEETWIRE_TEST_SSH_PASSWORD"] ?? "");
  await add(page, "login");
  // What is secret does not come back.
  await expect(page.getByLabel("Password")).toHaveValue("");
  await expectAccessible(page);

  await open(page, "Devices");
  await page.getByRole("link", { name: "Add a device" }).click();
  await page.getByLabel("Name").fill("bus-1");
  await page.getByLabel("Other addresses").fill(`127.0.0.1:${ssh.port}`);
  await add(page, "bus-1");
  const connections = page.getByRole("region", { name: "Connections" });
  await expect(connections).toContainText("no command can be run");
  await connections.getByRole("button", { name: "Connect" }).click();
  await expect(connections.getByRole("listitem")).toContainText("login");
  await expectAccessible(page);

  await page.getByRole("link", { name: "Open its page" }).click();
  await run(page, "echo made in the console");
  await expect(status(page).first()).toHaveAttribute("data-status", "success");
  await expect(output(page)).toContainText("made in the console");
  await page.getByRole("link", { name: "Edit" }).click();
  await expect(connections).toContainText("Works");
  await connections.getByRole("button", { name: "Forget the host key" }).click();
  await expect(connections.getByRole("button", { name: "Forget the host key" })).toHaveCount(0);
  await connections.getByRole("button", { name: "Remove login" }).click();
  await expect(connections).toContainText("no command can be run");
  ssh.remove();
});

test("a location that is dragged moves on the live map", async ({ page, server, organization, browser }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, ROME);
  const live = await (await browser.newContext()).newPage();
  await live.goto(server.url);
  await logIn(live);
  await live.getByRole("region", { name: "Vehicles" }).getByRole("button", { name: "bus-1" }).click();
  const position = live.getByRole("region", { name: "bus-1" }).locator("dd.mono");
  await expect(position).toHaveText("41.90280, 12.49640");

  await asRoot(page, server, "/locations");
  await page.getByRole("link", { name: "bus-1" }).click();
  const point = page.getByRole("button", { name: "The point", exact: true });
  await point.scrollIntoViewIfNeeded();
  const box = await point.boundingBox();
  if (!box) throw new Error("no point");
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 30, y - 20, { steps: 5 });
  await page.mouse.up();
  await expect(page.getByLabel("Longitude")).not.toHaveValue("12.4964");
  const [longitude, latitude] = [
    Number(await page.getByLabel("Longitude").inputValue()),
    Number(await page.getByLabel("Latitude").inputValue()),
  ];
  expect(longitude).toBeGreaterThan(ROME[0]);
  expect(latitude).toBeGreaterThan(ROME[1]);
  await save(page);
  await expect(position).toHaveText(`${latitude.toFixed(5)}, ${longitude.toFixed(5)}`);

  // By keyboard, and by number.
  await point.focus();
  await page.keyboard.press("ArrowLeft");
  await expect(page.getByLabel("Longitude")).not.toHaveValue(String(longitude));
  await page.getByLabel("Latitude").fill("10");
  await page.getByLabel("Longitude").fill("20");
  await page.getByLabel("Longitude").blur();
  await expectAccessible(page);
  await save(page);
  await expect(position).toHaveText("10.00000, 20.00000");

  const there = page.getByRole("region", { name: "Devices here" });
  await there.getByRole("button", { name: "Remove bus-1 from here" }).click();
  await expect(there).toContainText("No device is at this location.");
  await there.getByRole("button", { name: "Put here" }).click();
  await expect(there.getByRole("listitem")).toContainText("bus-1");
  await live.context().close();
});

test("a device is put on the map, moved to another place and taken away", async ({
  page,
  server,
  organization,
  complaints,
}) => {
  const bus = server.device("bus-1", organization);
  await server.report(server.device("bus-2", organization), ROME);
  await asRoot(page, server, `/devices/${bus.id}`);
  const where = page.getByRole("region", { name: "Location" });
  await expect(where).toContainText("It is nowhere");
  await where.getByRole("button", { name: "Put it on a map" }).click();
  const form = where.getByRole("form", { name: "Put it on a map" });
  await expect(form.getByLabel("Name")).toHaveValue("bus-1");
  // One that does not move is somewhere.
  await form.getByRole("button", { name: "Put it on the map" }).click();
  await expect(form.getByRole("group", { name: "Position" })).toHaveAccessibleDescription(/geometry|required|point/i);
  await form.getByLabel("Latitude").fill("41.95");
  await form.getByLabel("Longitude").fill("12.6");
  await form.getByLabel("Longitude").blur();
  await form.getByRole("checkbox", { name: "Mobile" }).check();
  await expectAccessible(page);
  await form.getByRole("button", { name: "Put it on the map" }).click();
  await expect(where.getByRole("listitem")).toContainText("bus-1");
  await expect(where.getByRole("button", { name: "Put it on a map" })).toHaveCount(0);

  await where.getByLabel("A location of the organization").selectOption("bus-2");
  await where.getByRole("button", { name: "Move it there" }).click();
  await expect(where.getByRole("listitem")).toContainText("bus-2");
  await where.getByRole("button", { name: "Remove the device from bus-2" }).click();
  await expect(where).toContainText("It is nowhere");
  await where.getByLabel("A location of the organization").selectOption("bus-1");
  await where.getByRole("button", { name: "Put it there" }).click();
  await where.getByRole("link", { name: "Open the location" }).click();
  await expect(page.getByLabel("Latitude")).toHaveValue("41.95");
  expect(complaints).toEqual([]);
});

test("a field that is refused says why, and what was entered stays", async ({
  page,
  server,
  organization,
}) => {
  server.device("bus-1", organization);
  await asRoot(page, server, "/devices/new");
  await page.getByLabel("Name").fill("bus-1");
  await page.getByLabel("Management address").fill("nowhere");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByLabel("Management address")).toHaveAccessibleDescription(/valid IPv4 or IPv6/i);
  await expect(page.getByLabel("Management address")).toBeFocused();
  await expectAccessible(page);
  await page.getByLabel("Management address").fill("10.0.0.1");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByLabel("Name")).toHaveAccessibleDescription(/already|exists|unique/i);
  await page.getByLabel("Name").fill("bus-2");
  await add(page, "bus-2");

  await open(page, "Credentials");
  await page.getByRole("link", { name: "Add a credential" }).click();
  await page.getByLabel("Name").first().fill("login");
  await page.getByLabel("User name on the device").fill("root");
  await page.getByLabel("Logs in with").selectOption("a private key");
  await page.getByLabel("Private key").fill("no key at all");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByLabel("Private key")).toHaveAccessibleDescription(/key/);
  await expect(page.getByLabel("Private key")).toHaveAttribute("aria-invalid", "true");
});

test("a list is searched and has pages, and its address leads back to it", async ({
  page,
  server,
  organization,
}) => {
  for (let at = 1; at <= 55; at += 1) server.device(`bus-${at}`, organization);
  await asRoot(page, server, "/devices");
  await expect(page.getByText("55 in all")).toBeVisible();
  await expect(page.getByRole("row")).toHaveCount(51);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Next page" }).click();
  await expect(page.getByRole("row")).toHaveCount(6);
  await expect(page).toHaveURL(/page=2$/);
  await page.getByRole("searchbox", { name: "Search devices" }).fill("bus-5");
  await expect(page.getByText("7 of 55")).toBeVisible();
  await page.reload();
  await expect(page.getByText("7 of 55")).toBeVisible();
});

test("a password is set by who may, and names stay text", async ({ page, server, organization }) => {
  const hostile = "<img src=x onerror=alert(1)>";
  server.device(hostile, organization);
  await asRoot(page, server, "/devices");
  await page.getByRole("link", { name: hostile }).click();
  await expect(page.getByRole("heading", { name: hostile })).toBeVisible();
  await open(page, "Users");
  await page.getByRole("link", { name: "ada" }).click();
  const form = page.getByRole("form", { name: "Password" });
  await form.getByLabel("New password", { exact: true }).fill("another good one");
  await form.getByLabel("New password again").fill("another one");
  await form.getByRole("button", { name: "Set the password" }).click();
  await expect(form.getByLabel("New password again")).toHaveAccessibleDescription(/match/);
  await form.getByLabel("New password again").fill("another good one");
  await form.getByRole("button", { name: "Set the password" }).click();
  await expect(form).toContainText("The password is set.");
});

test("a right that is lost over a form is named", async ({ page, server, organization }) => {
  const { id } = server.device("bus-1", organization);
  await page.goto(`${server.url}/admin/devices/${id}`);
  await logIn(page);
  await page.getByLabel("Name").fill("bus-2");
  server.cli(["user", "set", "ada", "--remove-group", "Operator", "--permission", "config.delete_device", "--permission", "config.view_device"]);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toContainText("config.change_device");
});
