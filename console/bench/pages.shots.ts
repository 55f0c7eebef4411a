// Pictures of each page as people see it: light and dark, on a desk and on a phone. They go to
// target/screenshots; look at each after a change.

import { spawn } from "node:child_process";
import { join } from "node:path";

import type { Browser, Page } from "@playwright/test";

import { expect, test } from "../tests/stage.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROGRAM = process.env["FLEETWIRE"] ?? join(ROOT, "target/debug/fleetwire");
const FOLDER = join(ROOT, "target/screenshots");

const SCREENS = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
};

interface LogIn {
  username: string;
  password: string;
}

interface Demo {
  url: string;
  logins: LogIn[];
}

/** A server with something to see, for as long as `use` lasts. */
async function withDemo(use: (demo: Demo) => Promise<void>): Promise<void> {
  const child = spawn(PROGRAM, ["demo", "--json", "--vehicles", "40"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const demo = await new Promise<Demo>((resolve, reject) => {
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes("\n")) resolve(JSON.parse(text) as Demo);
      });
      child.once("exit", (code) => reject(new Error(`the demo ended: ${code}`)));
    });
    await use(demo);
  } finally {
    child.kill("SIGTERM");
  }
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: "disabled" });
}

async function logIn(page: Page, { username, password }: LogIn): Promise<void> {
  await page.getByLabel("User name or e-mail address").fill(username);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  // A phone has no room for the word.
  await expect(page.locator('[data-state="live"]')).toBeVisible();
}

/** Long enough for vehicles to leave a trail. */
const DRIVE_MS = 8000;

async function pages(page: Page, demo: Demo, look: string): Promise<void> {
  const isPhone = look.startsWith("phone");
  const user = demo.logins[1];
  if (!user) throw new Error("the demo has no operator");
  await page.goto(demo.url);
  await expect(page.getByRole("button", { name: "Log in" })).toBeVisible();
  await shoot(page, `${look}-login`);
  await logIn(page, user);
  await page.waitForTimeout(DRIVE_MS);
  await shoot(page, `${look}-map`);
  if (isPhone) {
    await page.getByRole("button", { name: "Show the list" }).click();
    await shoot(page, `${look}-vehicles`);
  }
  await page.getByRole("button", { name: /^Bus 3 / }).click();
  await page.getByRole("button", { name: "Follow" }).click();
  await page.waitForTimeout(DRIVE_MS);
  await shoot(page, `${look}-vehicle`);
  await page.getByRole("link", { name: "Open the device" }).click();
  for (const line of ["uptime", "ping -c 3 10.0.0.1", "logread -f"]) {
    await page.getByLabel("Custom Command", { exact: true }).fill(line);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await expect(page.getByRole("heading", { name: line })).toBeVisible();
    if (line === "logread -f") await page.waitForTimeout(DRIVE_MS);
    else await expect(page.locator("[data-status]")).toHaveText("Succeeded");
  }
  await shoot(page, `${look}-device`);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("[data-status]")).toContainText("Failed");
  await page.getByRole("link", { name: "Devices", exact: true }).click();
  await expect(page.getByRole("link", { name: /^Bus 3 / })).toBeVisible();
  await shoot(page, `${look}-devices`);
  await runOnMany(page, look);
  await page.getByRole("button", { name: /^Account of/ }).click();
  await shoot(page, `${look}-account`);
}

async function runOnMany(page: Page, look: string): Promise<void> {
  await page.goto(new URL("/run", page.url()).href);
  await page.getByRole("checkbox", { name: /^All that fit/ }).check();
  await page.getByLabel("Command line").fill("ping -c 3 10.0.0.1");
  await shoot(page, `${look}-run`);
  await page.getByRole("button", { name: "Check", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await shoot(page, `${look}-check`);
  await dialog.getByRole("button", { name: /^Run on/ }).click();
  await expect(page.locator("[data-result]").filter({ hasText: "64 bytes" }).first()).toBeVisible();
  await shoot(page, `${look}-batch`);
}

/** What a superuser of a new server looks after. */
async function administration(page: Page, demo: Demo, look: string): Promise<void> {
  const user = demo.logins[0];
  if (!user) throw new Error("the demo has no superuser");
  await page.goto(demo.url);
  await logIn(page, user);
  for (const kind of ["organizations", "users", "groups", "devices", "credentials", "locations"]) {
    await page.goto(`${demo.url}/admin/${kind}`);
    await expect(page.getByRole("table").getByRole("link").first()).toBeVisible();
    await shoot(page, `${look}-admin-${kind}`);
    await page.getByRole("table").getByRole("link").first().click();
    // Until a map has its land.
    await page.waitForTimeout(kind === "locations" ? DRIVE_MS : 1000);
    await shoot(page, `${look}-admin-${kind}-one`);
  }
}

async function inEachLook(browser: Browser, demo: Demo): Promise<void> {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    for (const colorScheme of ["light", "dark"] as const) {
      const context = await browser.newContext({ viewport, colorScheme });
      await pages(await context.newPage(), demo, `${screen}-${colorScheme}`);
      await context.clearCookies();
      await administration(await context.newPage(), demo, `${screen}-${colorScheme}`);
      await context.close();
    }
  }
}

test("screenshots", async ({ browser }) => {
  await withDemo((demo) => inEachLook(browser, demo));
});
