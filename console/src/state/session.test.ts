import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { stubPage } from "./fakePage";

// Each test has modules of its own; the first one waits until they are compiled, on a busy machine for long.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Who the server says we are; null without a session, undefined without a server. */
let who: string | null | undefined;
let rights: string[];
let session: (typeof import("./session.svelte"))["session"];
let router: (typeof import("./router.svelte"))["router"];

beforeEach(async () => {
  [who, rights] = ["ada", []];
  stubPage("http://server/devices?q=bus");
  vi.stubGlobal("fetch", (path: string) => {
    if (who === undefined) return Promise.reject(new TypeError("no network"));
    if (path === "/api/v1/setup/") return Promise.resolve(Response.json({ is_open: false }));
    if (path.startsWith("/accounts/")) return Promise.resolve(new Response(null, { status: 204 }));
    if (who === null) return Promise.resolve(Response.json({}, { status: 401 }));
    return Promise.resolve(Response.json({ id: who, username: who, permissions: rights }));
  });
  // Each is a page that was just opened.
  vi.resetModules();
  ({ session } = await import("./session.svelte"));
  ({ router } = await import("./router.svelte"));
});

afterEach(() => vi.unstubAllGlobals());

test("who comes without a session goes to the log-in, which leads back", async () => {
  who = null;
  await session.refresh();
  expect(session.state).toEqual({ is: "out" });
  expect(router.route).toEqual({ page: "login", next: "/devices?q=bus" });
});

test("a session that ends leaves the page where it is, and its user is the same after the log-in", async () => {
  const before = await session.refresh();
  const { route } = router;
  who = null;
  expect(await session.refresh()).toBeNull();
  expect(session.state).toEqual({ is: "ended", me: before });
  expect(session.me).toBeNull();
  who = "ada";
  await session.logIn("ada", "secret");
  // The same object: no page has a reason to begin anew.
  expect(session.me).toBe(before);
  expect(router.route).toBe(route);
});

test("rights that have changed meanwhile are seen", async () => {
  await session.refresh();
  who = null;
  await session.refresh();
  [who, rights] = ["ada", ["geo.view_location"]];
  await session.logIn("ada", "secret");
  expect(session.me?.permissions).toEqual(rights);
});

test("a session that has ended stays so while the server is away, and during a log-in that fails", async () => {
  await session.refresh();
  who = null;
  await session.refresh();
  who = undefined;
  await expect(session.refresh()).rejects.toMatchObject({ status: 0 });
  await expect(session.logIn("ada", "secret")).rejects.toMatchObject({ status: 0 });
  expect(session.state.is).toBe("ended");
});

test("a log-out ends more than a session: the page is left", async () => {
  await session.refresh();
  await session.logOut();
  expect(session.state).toEqual({ is: "out" });
  expect(router.route).toEqual({ page: "login", next: "/" });
});

test("who logs in elsewhere in the browser is logged in here, too", async () => {
  const me = await session.refresh();
  who = null;
  await session.refresh();
  who = "ada";
  await session.refresh();
  expect(session.state).toEqual({ is: "in", me });
});

test("what ended with the session begins anew for the same user, and not for another", async () => {
  const { browserWorld } = await import("../live/world");
  const { ask } = await import("../api/client");
  for (const [next, times] of [["ada", 1], ["eve", 0]] as const) {
    who = "ada";
    await session.refresh();
    let returns = 0;
    const forget = browserWorld("/healthz").onReturn(() => (returns += 1));
    who = null;
    const question = ask<{ id: string }>("/api/v1/x/").then(
      ({ data }) => data.id,
      (error: { status: number }) => error.status,
    );
    await vi.waitFor(() => expect(session.state.is).toBe("ended"));
    who = next;
    await session.logIn(next, "secret");
    expect(returns).toBe(times);
    expect(await question).toBe(next === "ada" ? "ada" : 401);
    forget();
  }
});
