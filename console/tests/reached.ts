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

export function status(page: Page) {
  return page.locator("[data-status]");
}
