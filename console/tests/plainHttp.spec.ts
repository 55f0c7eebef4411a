// The console on plain HTTP, as `serve` is by default: to a browser only localhost is as good as HTTPS.

import { output, run, status, test } from "./reached.ts";
import { expect, logIn } from "./stage.ts";

const HOST = "console.test";

test.use({
  launchOptions: {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", `--host-resolver-rules=MAP ${HOST} 127.0.0.1`],
  },
});

test("an output is copied where the browser gives no clipboard", async ({ page, server, device, complaints }) => {
  await page.goto(`http://${HOST}:${server.port}/devices/${device}`);
  await logIn(page);
  expect(await page.evaluate(() => window.isSecureContext)).toBe(false);
  await run(page, "echo taken from here");
  await expect(status(page)).toHaveText("Succeeded");
  await expect(output(page)).toContainText("taken from here");
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await expect(page.getByRole("button", { name: "Copied", exact: true })).toBeVisible();
  const line = page.getByLabel("Custom Command", { exact: true });
  await line.focus();
  await page.keyboard.press("ControlOrMeta+V");
  await expect(line).toHaveValue("taken from here");
  expect(complaints).toEqual([]);
});
