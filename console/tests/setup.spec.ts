import { expectAccessible } from "./axe.ts";
import { PASSWORD } from "./server.ts";
import { expect, test } from "./stage.ts";

test("who reads the log makes the first superuser, and is logged in", async ({
  page,
  server,
  complaints,
}) => {
  const token = await server.logged(/with the token (\w+)/);
  await page.goto(`${server.url}/devices`);
  await expect(page).toHaveURL(`${server.url}/setup`);
  await expectAccessible(page);
  const make = page.getByRole("button", { name: "Make the superuser and log in" });

  await make.click();
  await expect(page.getByLabel("Token")).toHaveAccessibleDescription("This is needed.");
  await page.getByLabel("Token").fill("guessed");
  await page.getByLabel("User name").fill("ada");
  await page.getByLabel("E-mail address").fill("ada@example.org");
  await page.getByLabel("Password", { exact: true }).fill("12345678");
  await page.getByLabel("Password again").fill("1234567");
  await make.click();
  await expect(page.getByLabel("Password again")).toHaveAccessibleDescription("The two passwords differ.");
  await page.getByLabel("Password again").fill("12345678");
  await make.click();
  await expect(page.getByLabel("Password", { exact: true })).toHaveAccessibleDescription(/entirely numeric/);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Password again").fill(PASSWORD);
  await make.click();
  await expect(page.getByLabel("Token")).toHaveAccessibleDescription(/not the token/);
  await page.getByLabel("Token").fill(` ${token} `);
  await make.click();

  await expect(page.getByRole("button", { name: "Account of ada" })).toBeVisible();
  await page.getByRole("link", { name: "Administration" }).click();
  await expect(page.getByText("There are no organizations yet.")).toBeVisible();

  // Whoever begins at the other end is led to what comes first.
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
  await page.getByRole("link", { name: "Add a device" }).click();
  await expect(page.getByRole("combobox", { name: "Organization" })).toBeVisible();
  await page.getByRole("link", { name: "Add an organization" }).click();
  await expect(page.getByRole("heading", { name: "Add an organization" })).toBeVisible();
  expect(complaints).toEqual([]);
});

test("a server that has a user has no first start", async ({ page, server, organization }) => {
  expect(organization).not.toBe("");
  await page.goto(`${server.url}/setup`);
  await expect(page).toHaveURL(`${server.url}/login`);
});

test("who comes second is told, and makes nobody", async ({ page, server }) => {
  const token = await server.logged(/with the token (\w+)/);
  await page.goto(server.url);
  await page.getByLabel("Token").fill(token);
  await page.getByLabel("User name").fill("eve");
  await page.getByLabel("E-mail address").fill("eve@example.org");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Password again").fill(PASSWORD);
  server.user("ada", "--superuser");
  await page.getByRole("button", { name: "Make the superuser and log in" }).click();
  await expect(page.getByRole("alert")).toHaveText("Somebody has been the first meanwhile. Log in.");
  expect(server.cli(["user", "list"])).toHaveLength(1);
});
