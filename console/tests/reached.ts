// A device on which commands can be run, and what is done with it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "@playwright/test";

import { SshServer } from "./sshd.ts";
import { test as stage } from "./stage.ts";

interface Reached {
  ssh: SshServer;
  /** The id of a device on which commands can be run. */
  device: string;
}

export const test = stage.extend<Reached>({
  ssh: async ({}, use) => {
    const ssh = await SshServer.start();
    await use(ssh);
    ssh.remove();
  },
  device: async ({ server, organization, ssh }, use) => {
    const { id } = server.device("bus-1", organization);
    await ssh.reach(server, "bus-1", organization);
    await use(id);
  },
});

/** A file in the home of the account that commands run in; what waits for it goes on when it is there. */
export function signal(name: string): { wait: string; give: () => void } {
  const file = join(process.env["FLEETWIRE_TEST_SSH_HOME"] ?? "", name);
  const wait = `until test -e '${file}'; do sleep 0.1; done`;
  return { wait, give: () => writeFileSync(file, "") };
}

export async function run(page: Page, line: string): Promise<void> {
  await page.getByLabel("Custom Command", { exact: true }).fill(line);
  await page.getByRole("button", { name: "Run", exact: true }).click();
}

export function output(page: Page) {
  return page.getByRole("log", { name: "Output" });
}

/** The lines of an output; the end of a block ends its last one. */
export async function lines(page: Page): Promise<string[]> {
  const blocks = await output(page).locator(".block").evaluateAll((all) => all.map((it) => it.textContent ?? ""));
  return blocks.flatMap((text) => text.replace(/\n$/, "").split("\n"));
}

/** Whether the match that one has gone to is in sight. */
export function isMatchInSight(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const range = [...(CSS.highlights.get("output-match-current") ?? [])][0];
    const frame = document.querySelector('[role="log"]')?.getBoundingClientRect();
    if (!(range instanceof Range) || !frame) return false;
    const { top, bottom, left, right } = range.getBoundingClientRect();
    return bottom > top && top >= frame.top && bottom <= frame.bottom && left >= frame.left && right <= frame.right;
  });
}

/** Whether the end of an output is in sight. */
export function isEndInSight(page: Page): Promise<boolean> {
  return output(page).evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop < 1);
}

export function status(page: Page) {
  return page.locator("[data-status]");
}
