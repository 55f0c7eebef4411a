// What most tests begin with: a server, an organization, its operator, and a browser that is logged in.

import { test as base, expect, type Page } from "@playwright/test";

import { PASSWORD, Server } from "./server.ts";

interface Stage {
  server: Server;
  organization: string;
  /** What the browser complained of: breaches of the policy among them. */
  complaints: string[];
}

export const test = base.extend<Stage>({
  // Playwright reads from the pattern what a fixture needs.
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.remove();
  },
  organization: async ({ server }, use) => {
    const organization = server.organization("Alpha");
    server.operator("ada", organization);
    await use(organization);
  },
  complaints: async ({ page }, use) => {
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      if (/Content.Security.Policy/i.test(text)) complaints.push(text);
    });
    await use(complaints);
    expect(complaints).toEqual([]);
  },
});

export { expect };

/** Logs in where the page sends everybody who is not. */
export async function logIn(page: Page, username = "ada"): Promise<void> {
  await page.getByLabel("User name or e-mail address").fill(username);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  // Over a page whose session has ended the page itself is there all the time.
  await expect(page.getByRole("button", { name: "Log in" })).toHaveCount(0);
  await expect(page.getByRole("button", { name: `Account of ${username}` })).toBeVisible();
}
