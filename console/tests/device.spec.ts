import { readFileSync } from "node:fs";

import { Network } from "./network.ts";
import { isEndInSight, isMatchInSight, lines, output, run, signal, status, test } from "./reached.ts";
import { expect, logIn } from "./stage.ts";

test("lines appear while the command runs", async ({ page, server, device, complaints }) => {
  const go = signal(`go-${device}`);
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, `echo one; ${go.wait}; printf '\\033[31mtwo\\033[0m\\n'; exit 3`);
  await expect(output(page)).toHaveText("one");
  await expect(status(page)).toHaveText("Running");
  go.give();
  await expect(output(page)).toContainText("two");
  await expect(output(page).locator(".ink-1")).toHaveText("two");
  await expect(status(page)).toHaveText("Failed (exit 3)");
  // The up key brings it back.
  await page.getByLabel("Custom Command", { exact: true }).press("ArrowUp");
  await expect(page.getByLabel("Custom Command", { exact: true })).toHaveValue(/^echo one; /);
  expect(complaints).toEqual([]);
});

test("a command is cancelled, and run again", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "echo begun; exec sleep 600");
  await expect(output(page)).toContainText("begun");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(status(page)).toContainText("Failed");
  await expect(output(page)).toContainText("cancelled by ada");
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(status(page)).toHaveText("Running");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(status(page)).toContainText("Failed");
});

test("hostile output and names stay text", async ({ page, server, device, complaints }) => {
  const markup = "<script>alert(1)</script><img src=x onerror=alert(1)>";
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, `printf '%s\\n\\033]0;title\\007\\033[2Jend\\n' '${markup}'`);
  await expect(status(page)).toHaveText("Succeeded");
  await expect(output(page)).toContainText(markup);
  await expect(output(page)).toContainText("end");
  await expect(output(page)).not.toContainText("title");
  await expect(page.locator("img, #app script")).toHaveCount(0);
  await expect(page).not.toHaveTitle("title");
  expect(complaints).toEqual([]);
});

test("nothing of an output is missing after the network was away", async ({ page, server, device }) => {
  const go = signal(`away-${device}`);
  const network = await Network.to(server.port);
  await page.goto(`${network.url}/devices/${device}`);
  await logIn(page);
  await run(page, `echo before; ${go.wait}; seq 1 500; echo after`);
  await expect(output(page)).toContainText("before");
  await network.cut();
  await expect(page.getByText(/^Reconnecting in/)).toBeVisible();
  go.give();
  await network.join();
  await expect(status(page)).toHaveText("Succeeded");
  await expect(output(page)).toContainText("after");
  expect(await lines(page)).toEqual(["before", ...Array.from({ length: 500 }, (_, at) => String(at + 1)), "after"]);
  await network.cut();
});

test("nothing of an output, nor of a line that was begun, is missing after the session had ended", async ({ page, server, device }) => {
  const go = signal(`ended-${device}`);
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, `echo before; ${go.wait}; echo while; exec sleep 600`);
  await expect(output(page)).toContainText("before");
  const line = page.getByLabel("Custom Command", { exact: true });
  await line.fill("echo half a li");
  server.endSessions();
  await expect(page.getByText("Your session has ended.")).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toHaveCount(0);
  go.give();
  await logIn(page);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(output(page)).toContainText("while");
  await expect(line).toHaveValue("echo half a li");
  await expect(line).toBeFocused();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(status(page)).toContainText("Failed");
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a right that is lost while watching is named", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "echo begun; exec sleep 600");
  await expect(output(page)).toContainText("begun");
  server.cli(["user", "set", "ada", "--remove-group", "Operator"]);
  await expect(page.getByRole("alert").first()).toContainText("You may not watch this any more.");
  await expect(page.getByText("begun")).toHaveCount(0);
});

test("output is searched, followed and paused", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "seq 1 400; echo needle; seq 401 800; echo Needle");
  await expect(status(page)).toHaveText("Succeeded");
  await expect(page.getByText("802 lines")).toBeVisible();
  await expect(page.getByRole("button", { name: "Pause" })).toBeVisible();
  await page.getByLabel("Search the output").fill("needle");
  await expect(page.getByText("1 of 2")).toBeVisible();
  await page.getByLabel("Search the output").press("Enter");
  await expect(page.getByText("2 of 2")).toBeVisible();
  await page.getByLabel("Search the output").press("Shift+Enter");
  await expect(page.getByText("1 of 2")).toBeVisible();
  await expect.poll(() => isMatchInSight(page)).toBe(true);
  await expect(page.getByRole("button", { name: "Follow" })).toBeVisible();
});

test("an output of half a million lines and one of a line without end are shown, searched and left where they are", async ({ page, server, device, complaints }) => {
  const go = signal(`long-${device}`);
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "yes '' | head -n 250000; echo needle; yes '' | head -n 250000; echo end");
  await expect(status(page)).toHaveText("Succeeded");
  await expect(page.getByText("500,002 lines")).toBeVisible();
  await expect.poll(() => isEndInSight(page)).toBe(true);
  // Blocks of lines, not an element each.
  expect(await output(page).locator("*").count()).toBeLessThan(5000);
  const search = page.getByLabel("Search the output");
  await search.fill("needle");
  await search.press("Enter");
  await expect(page.getByText("1 of 1")).toBeVisible();
  await expect.poll(() => isMatchInSight(page)).toBe(true);
  expect(await isEndInSight(page)).toBe(false);
  await search.fill("");

  await run(page, `seq -s ' ' 1 20000; seq -s ' ' 20001 40000 | tr -d '\\n'; printf need; ${go.wait}; printf 'le-in-it %50000s' x`);
  await expect(output(page)).toContainText("39999 40000need");
  const first = await output(page).locator(".block").first().elementHandle();
  await search.fill("needle-in-it");
  await expect(page.getByText("no match")).toBeVisible();
  go.give();
  await expect(status(page)).toHaveText("Succeeded");
  await expect(page.getByText("1 of 1")).toBeVisible();
  await search.press("Enter");
  await expect.poll(() => isMatchInSight(page)).toBe(true);
  // Where nothing is wrapped it is far to the right.
  await page.getByRole("button", { name: "Wrap long lines" }).click();
  await search.press("Enter");
  await expect.poll(() => isMatchInSight(page)).toBe(true);
  // What stood there was not made anew.
  expect(await first?.evaluate((element) => element.isConnected)).toBe(true);
  await expect(page.getByText("2 lines")).toBeVisible();
  expect((await lines(page))[0]).toMatch(/^1 2 3 .* \d+/);
  expect(complaints).toEqual([]);
});

test("a long output scrolls in its place, and the page stays", async ({ page, server, device }) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "seq 1 400");
  await expect(page.getByText("400 lines")).toBeVisible();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  expect(height).toBe(900);
  expect((await lines(page)).at(-1)).toBe("400");
  await expect.poll(() => isEndInSight(page)).toBe(true);
});

test("a list of many devices scrolls in its place", async ({ page, server, organization }) => {
  for (let at = 1; at <= 30; at += 1) server.device(`bus-${at}`, organization);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(`${server.url}/devices`);
  await logIn(page);
  await expect(page.getByText("30 devices")).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBe(900);
});

test("output is copied and downloaded as it came", async ({ page, server, device }) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "printf 'one\\n\\033[31mtwo\\033[0m\\n'");
  await expect(status(page)).toHaveText("Succeeded");
  await page.getByRole("button", { name: "Copy" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const said = "one\n\u001b[31mtwo\u001b[0m\n";
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(said);
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^bus-1-.*\.txt$/);
  expect(readFileSync(await download.path(), "utf8")).toBe(said);
});

test("what a command found out about the connection is shown when it ends", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  const connections = page.getByRole("region", { name: "Connections" });
  await expect(connections).toContainText("Not tried yet");
  await run(page, "true");
  await expect(connections).toContainText("Works");
});

test("a command without input is asked about first", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await page.getByLabel("Type", { exact: true }).selectOption({ label: "Reboot" });
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText('Really run "Reboot" on this device?');
  await dialog.getByRole("button", { name: "Close" }).click();
  await expect(page.getByText("No command was run on this device yet.")).toBeVisible();
});

test("a form says what is wrong at its field", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await page.getByLabel("Type", { exact: true }).selectOption({ label: "Change Password" });
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByText("This is needed.")).toHaveCount(2);
});

test("what the first answers lacked is there when the server answers again", async ({ page, server, device }) => {
  const failing = new RegExp(`/device/${device}/(command-type/)?$`);
  await page.route(failing, (route) => route.fulfill({ status: 503, json: { detail: "Not now." } }));
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await expect(page.getByRole("alert")).toContainText("cannot answer at the moment");
  await page.unroute(failing);
  await run(page, "echo well");
  await expect(output(page)).toContainText("well");
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a double click runs it again once, and what is typed meanwhile stays", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "echo begun");
  await expect(status(page)).toHaveText("Succeeded");
  const line = page.getByLabel("Custom Command", { exact: true });
  let [posts, cancels] = [0, 0];
  page.on("request", (request) => {
    if (request.method() !== "POST") return;
    if (request.url().endsWith("/cancel/")) cancels += 1;
    else posts += 1;
  });
  await page.getByRole("button", { name: "Run again" }).dblclick();
  await expect(page.locator("ol [aria-current]").first()).toBeVisible();
  await expect(page.getByRole("list", { name: "Commands" }).getByRole("listitem")).toHaveCount(2);
  await expect(status(page)).toHaveText("Succeeded");
  expect([posts, cancels]).toEqual([1, 0]);
  // Typed while the answer is on its way.
  await page.route("**/command/", async (route) => {
    if (route.request().method() === "POST") await line.fill("echo next");
    await route.continue();
  });
  await run(page, "echo sent");
  await expect(output(page)).toContainText("sent");
  await expect(line).toHaveValue("echo next");
  await line.press("ArrowUp");
  await expect(line).toHaveValue("echo sent");
});

test("what ended while the network was away does not run for ever, however much came after it", async ({ page, server, device }) => {
  await page.goto(`${server.url}/devices/${device}`);
  await logIn(page);
  await run(page, "echo first; exec sleep 600");
  await expect(output(page)).toContainText("first");
  const id = new URL(page.url()).searchParams.get("command") ?? "";
  await page.context().setOffline(true);
  await expect(page.getByText("Offline", { exact: true })).toBeVisible();
  const commands = `${server.url}/api/v1/controller/device/${device}/command/`;
  const answer = await page.request.get(`${commands}?page_size=1`);
  const { results } = (await answer.json()) as { results: Record<string, unknown>[] };
  // It ended long ago, and twenty others are newer than it.
  const others = Array.from({ length: 20 }, (_, at) => ({
    ...results[0],
    id: `5f3b8c5e-6a53-4a52-9d0c-3f9f7f0f9d${10 + at}`,
    created: `2099-01-01T00:00:${10 + at}.000000Z`,
    status: "success",
  }));
  await page.route(`${commands}?page_size=20`, (route) =>
    route.fulfill({ json: { count: 21, next: null, previous: null, results: others } }),
  );
  await page.route(`${commands}${id}/`, (route) =>
    route.fulfill({ json: { ...results[0], status: "failed", output: "first\nover\n", modified: "2099-01-01T00:00:00.000000Z" } }),
  );
  await page.context().setOffline(false);
  await expect(status(page)).toContainText("Failed");
  await expect(output(page)).toContainText("over");
});
