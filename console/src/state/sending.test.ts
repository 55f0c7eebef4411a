import { beforeEach, expect, test, vi } from "vitest";

import { Refusal } from "../api/client";

// What the session's address is read from; no page is there.
vi.stubGlobal("window", { addEventListener: () => undefined });
vi.stubGlobal("location", { pathname: "/", search: "" });
vi.stubGlobal("requestAnimationFrame", () => 0);
const { Sending } = await import("./sending.svelte");

let sending: InstanceType<typeof Sending>;

beforeEach(() => {
  sending = new Sending({
    fields: () => ["name", "address"],
    below: "location",
    reason: ({ status }) => (status === 409 ? "Somebody was first." : undefined),
  });
});

const refused = (status: number, fields = {}) => () => Promise.reject(new Refusal(status, "", fields));

test("what is pressed twice is sent once", async () => {
  let answer: () => void = () => undefined;
  const work = vi.fn(() => new Promise<void>((resolve) => (answer = resolve)));
  const first = sending.send(work);
  expect(sending.isBusy).toBe(true);
  expect(await sending.send(work)).toBe(false);
  answer();
  expect(await first).toBe(true);
  expect(work).toHaveBeenCalledTimes(1);
  expect(sending.isBusy).toBe(false);
});

test("what is wrong already is not sent", async () => {
  const work = vi.fn(() => Promise.resolve());
  expect(await sending.send(work, { name: "This is needed." })).toBe(false);
  expect(work).not.toHaveBeenCalled();
  expect(sending.wrong).toEqual({ name: "This is needed." });
});

test("a refusal is told at its fields, wherever the server has them, and the rest as a whole", async () => {
  await sending.send(refused(400, { "location.name": ["Taken."], geometry: ["No point."] }));
  expect(sending.wrong).toEqual({ name: "Taken." });
  expect(sending.problem).toBe("geometry: No point.");
  expect(sending.isBusy).toBe(false);
});

test("a form's own sentence stands before the usual one, and the next attempt begins without any", async () => {
  await sending.send(refused(409));
  expect(sending.problem).toBe("Somebody was first.");
  await sending.send(refused(503));
  expect(sending.problem).toContain("cannot answer at the moment");
  expect(await sending.send(() => Promise.resolve())).toBe(true);
  expect([sending.problem, sending.wrong]).toEqual(["", {}]);
});
