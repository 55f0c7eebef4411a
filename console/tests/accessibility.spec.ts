import { expectAccessible } from "./axe.ts";
import { output, run, status, test } from "./reached.ts";
import { expect, logIn } from "./stage.ts";

const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 800 };

test("the log-in, also with something wrong", async ({ page, server, organization }) => {
  expect(organization).toBeTruthy();
  await page.goto(server.url);
  await expect(page.getByRole("button", { name: "Log in" })).toBeVisible();
  await expectAccessible(page);
  await page.getByLabel("User name or e-mail address").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await expectAccessible(page);
});

test("the map, its list and a vehicle's card", async ({ page, server, organization }) => {
  const other = server.organization("Beta");
  server.cli(["user", "set", "ada", "--manages", organization, "--manages", other]);
  await server.report(server.device("bus-1", organization), [12.4964, 41.9028]);
  await server.report(server.device("bus-2", other), [12.5, 41.91]);
  await page.goto(server.url);
  await logIn(page);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: /^bus-1/ }).click();
  await expect(page.getByRole("link", { name: "Open the device" })).toBeVisible();
  await expectAccessible(page);
  await page.setViewportSize(PHONE);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Hide the list" }).click();
  await expectAccessible(page);
});

test("devices, and the account's menu", async ({ page, server, organization }) => {
  server.device("bus-1", organization);
  server.cli(["device", "set", server.device("bus-2", organization).id, "--deactivate"]);
  await page.goto(`${server.url}/devices`);
  await logIn(page);
  await expect(page.getByRole("link", { name: /bus-1/ })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Account of ada" }).click();
  await expect(page.getByRole("button", { name: "Log out" })).toBeVisible();
  await expectAccessible(page);
  await page.setViewportSize(PHONE);
  await expectAccessible(page);
});

test("a device with its commands and their output", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  const inks = "for ink in 30 31 32 33 34 35 36 37 90 91 92 93 94 95 96 97";
  await run(page, `${inks}; do printf "\\033[\${ink}mink\\033[0m "; done; exit 3`);
  await expect(status(page)).toHaveText("Failed (exit 3)");
  await expectAccessible(page);
  await run(page, "echo begun; exec sleep 600");
  await expect(output(page)).toContainText("begun");
  await page.getByLabel("Search the output").fill("begun");
  await expectAccessible(page);
  await page.setViewportSize(PHONE);
  await expectAccessible(page);
  await page.setViewportSize(DESK);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(status(page)).toContainText("Failed");
  await page.getByLabel("Type", { exact: true }).selectOption({ label: "Change Password" });
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByText("This is needed.")).toHaveCount(2);
  await expectAccessible(page);
  await page.getByLabel("Type", { exact: true }).selectOption({ label: "Reboot" });
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await expectAccessible(page);
});

test("what one may not see, and what is not there", async ({ page, server, organization }) => {
  server.user("eve", "--staff", "--manages", organization);
  await page.goto(`${server.url}/devices`);
  await logIn(page, "eve");
  await expect(page.getByRole("alert")).toBeVisible();
  await expectAccessible(page);
  await page.goto(`${server.url}/no/such/page`);
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
  await expectAccessible(page);
});
