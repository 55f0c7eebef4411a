import { expect, logIn, test } from "./stage.ts";

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

test("a session that ended leads to the log-in and back", async ({ page, server, organization }) => {
  server.device("bus-1", organization);
  await page.goto(`${server.url}/devices`);
  await logIn(page);
  const bus = page.getByRole("link", { name: /bus-1/ });
  await expect(bus).toBeVisible();
  await page.waitForLoadState("networkidle");
  await page.context().clearCookies();
  await bus.click();
  await expect(page.getByText("Your session has ended.")).toBeVisible();
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
  for (const { id } of server.list(["session", "list"])) server.cli(["session", "remove", id]);
  await expect(page.getByText("Your session has ended.")).toBeVisible();
  await logIn(page);
  await expect(page).toHaveURL(/\?follow=/);
  await expect(page.getByRole("button", { name: "Stop following" })).toBeVisible();
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
