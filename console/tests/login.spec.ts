import type { Locator, Page } from "@playwright/test";

import { expectAccessible } from "./axe.ts";
import type { Server } from "./server.ts";
import { expect, logIn, test } from "./stage.ts";

const ENDED = "Your session has ended.";

/**
 * Lets nothing of the page's own begin until its clock goes on, which was installed: it is what the test does
 * that meets the ended session, and not a look of the page's between two steps of the test.
 */
async function hold(page: Page): Promise<void> {
  await page.clock.pauseAt(Date.now() + 2000);
}

/** Begins to add a device, and does not finish. */
async function enterDevice(page: Page): Promise<void> {
  await page.getByRole("textbox", { name: /^Name/ }).fill("bus-7");
  await page.getByLabel("Notes").fill("a half-filled form");
}

test("a log-in leads back to where one was", async ({ page, server, organization, complaints }) => {
  const { id } = server.device("bus-1", organization);
  await page.goto(`${server.url}/devices/${id}`);
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel("User name or e-mail address").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("alert")).toHaveText("This user name and password do not go together.");
  await logIn(page);
  await expect(page).toHaveURL(new RegExp(`/devices/${id}$`));
  await expect(page.getByRole("heading", { name: "bus-1" })).toBeVisible();
  expect(complaints).toEqual([]);
});

/** The list of devices with its one, to somebody who is logged in, with a clock that can be held. */
async function listed(page: Page, server: Server, organization: string): Promise<Locator> {
  server.device("bus-1", organization);
  await page.clock.install();
  await page.goto(`${server.url}/devices`);
  await logIn(page);
  const bus = page.getByRole("link", { name: /bus-1/ });
  await expect(bus).toBeVisible();
  return bus;
}

test("a session that ended leads to the log-in and back", async ({ page, server, organization }) => {
  const bus = await listed(page, server, organization);
  await page.waitForLoadState("networkidle");
  await hold(page);
  await page.context().clearCookies();
  await bus.click();
  await expect(page.getByText(ENDED)).toBeVisible();
  await page.clock.resume();
  await logIn(page);
  await expect(page.getByRole("heading", { name: "bus-1" })).toBeVisible();
});

test("a session that ends while one watches leads to the log-in and back to the view", async ({ page, server, organization }) => {
  const bus = server.device("bus-1", organization);
  await server.report(bus, [12.4964, 41.9028]);
  await page.goto(server.url);
  await logIn(page);
  await page.getByRole("button", { name: /^bus-1/ }).click();
  await page.getByRole("button", { name: "Follow" }).click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  server.endSessions();
  await expect(page.getByText(ENDED)).toBeVisible();
  await logIn(page);
  await expect(page).toHaveURL(/\?follow=/);
  await expect(page.getByRole("button", { name: "Stop following" })).toBeVisible();
});

test("a session that ends takes nothing of what was entered", async ({ page, server, organization, complaints }) => {
  expect(organization).not.toBe("");
  server.user("root", "--superuser");
  await page.clock.install();
  await page.goto(`${server.url}/admin/devices/new`);
  await logIn(page, "root");
  await enterDevice(page);
  await page.getByLabel("Organization").selectOption("Alpha");
  await hold(page);
  server.endSessions();
  const add = page.getByRole("button", { name: "Add", exact: true });
  await add.click();
  const dialog = page.getByRole("dialog", { name: "Log in" });
  await expect(dialog).toContainText(ENDED);
  await page.clock.resume();
  // It is known whose session it was; neither the eyes, nor the keyboard, nor a screen reader get behind it.
  await expect(dialog.getByLabel("User name or e-mail address")).toHaveValue("root");
  await expect(dialog.getByLabel("Password", { exact: true })).toBeFocused();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await expect(dialog).toBeVisible();
  await page.getByLabel("Notes").focus();
  await expect(page.getByLabel("Notes")).not.toBeFocused();
  expect(await dialog.boundingBox()).toMatchObject(page.viewportSize() ?? {});
  await expect(page.getByText("Connected", { exact: true })).toHaveCount(0);
  await expectAccessible(page);
  await dialog.getByLabel("Password", { exact: true }).fill("wrong");
  await dialog.getByRole("button", { name: "Log in" }).click();
  await expect(dialog.getByRole("alert")).toHaveText("This user name and password do not go together.");
  await logIn(page, "root");
  await expect(dialog).toHaveCount(0);
  await expect(page).toHaveURL(/\/admin\/devices\/new$/);
  await expect(page.getByRole("alert")).toContainText("this was not done");
  await expect(page.getByText("Connected", { exact: true })).toBeVisible();
  expect(await page.evaluate(() => document.activeElement === document.body)).toBe(false);
  await expect(page.getByRole("textbox", { name: /^Name/ })).toHaveValue("bus-7");
  await expect(page.getByLabel("Notes")).toHaveValue("a half-filled form");
  await add.click();
  await expect(page.getByRole("heading", { name: "bus-7", level: 1 })).toBeVisible();
  await expect(page.getByLabel("Notes")).toHaveValue("a half-filled form");
  expect(complaints).toEqual([]);
});

test("who logs in after somebody else finds nothing that the other had entered", async ({ page, server, organization }) => {
  server.user("eve", "--staff", "--group", "Administrator", "--manages", organization);
  server.user("root", "--superuser");
  await page.clock.install();
  await page.goto(`${server.url}/admin/devices/new`);
  await logIn(page, "root");
  await enterDevice(page);
  await hold(page);
  server.endSessions();
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByText(ENDED)).toBeVisible();
  await page.clock.resume();
  await logIn(page, "eve");
  await expect(page).toHaveURL(/\/admin\/devices\/new$/);
  await expect(page.getByRole("textbox", { name: /^Name/ })).toHaveValue("");
  await expect(page.getByLabel("Notes")).toHaveValue("");
});

test("a page that nothing is pushed to notices that the session has ended", async ({ page, server, organization }) => {
  server.device("bus-1", organization);
  await page.clock.install();
  await page.goto(`${server.url}/devices`);
  await logIn(page);
  await expect(page.getByText("Connected", { exact: true })).toBeVisible();
  server.endSessions();
  await page.clock.fastForward(20_000);
  await expect(page.getByText(ENDED)).toBeVisible();
  await expect(page.getByText("Connected", { exact: true })).toHaveCount(0);
  await logIn(page);
  await expect(page.getByText("Connected", { exact: true })).toBeVisible();
});

test("who logs in again in another window is logged in in this one, too", async ({ page, server, organization }) => {
  const bus = await listed(page, server, organization);
  await hold(page);
  server.endSessions();
  await bus.click();
  await expect(page.getByText(ENDED)).toBeVisible();
  await page.clock.resume();
  const other = await page.context().newPage();
  await other.goto(server.url);
  await logIn(other);
  // A window that is shown says so to its page; one of a test is shown always.
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await expect(page.getByText(ENDED)).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "bus-1" })).toBeVisible();
});

test("a log-out ends the session, for the way back too", async ({ page, server, organization }) => {
  server.device("bus-1", organization);
  await page.goto(`${server.url}/devices`);
  await logIn(page);
  await page.getByRole("button", { name: "Account of ada" }).click();
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL(/\/login/);
  await page.goBack();
  await expect(page.getByLabel("Password", { exact: true })).toBeVisible();
  await expect(page.getByText("bus-1")).toHaveCount(0);
});

test("what one may not do is not shown, and what is missing has a name", async ({ page, server, organization }) => {
  server.user("eve", "--staff", "--manages", organization);
  await page.goto(`${server.url}/devices`);
  await logIn(page, "eve");
  await expect(page.getByRole("alert")).toContainText("config.view_device");
  await expect(page.getByRole("navigation")).toHaveCount(0);
});

test("light and dark are chosen, and kept", async ({ page, server, organization }) => {
  expect(organization).toBeTruthy();
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto(`${server.url}/devices`);
  await logIn(page);
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await paper();
  await page.getByRole("button", { name: "Account of ada" }).click();
  await page.getByText("Dark", { exact: true }).click();
  const dark = await paper();
  expect(dark).not.toBe(light);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
  expect(await paper()).toBe(dark);
});

test("no link makes a white page", async ({ page, server, organization, complaints }) => {
  expect(organization).not.toBe("");
  for (const path of ["/login?next=/%5C", "//", "/login?next=/.//"]) {
    await page.goto(server.url + path);
    await expect(page.getByRole("button", { name: "Log in" })).toBeVisible();
  }
  await logIn(page);
  await expect(page.getByRole("heading", { name: "Map" })).toBeAttached();
  expect(complaints).toEqual([]);
});
