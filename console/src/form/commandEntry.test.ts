import { beforeEach, expect, test } from "vitest";

import { Refusal } from "../api/client";
import type { CommandType } from "../api/resources";
import { CommandEntry } from "./commandEntry.svelte";

const types = [
  { name: "custom", label: "Custom Command", schema: { properties: { command: { type: "string" } }, required: ["command"] } },
  { name: "reboot", label: "Reboot", schema: null },
  {
    name: "login",
    label: "Log in",
    schema: { properties: { user: { type: "string" }, secret: { type: "string", writeOnly: true } }, required: ["secret"] },
  },
  { name: "ping", label: "Ping", schema: { properties: { count: { type: "integer" } } } },
] as unknown as CommandType[];

let entry: CommandEntry;

beforeEach(() => (entry = new CommandEntry(() => types)));

test("a line is sent as it is, and an empty one is not", () => {
  entry.line = "  ";
  expect(entry.read()).toBeNull();
  expect(entry.wrongLine).not.toBe("");
  entry.line = " uptime";
  expect(entry.read()).toMatchObject({ type: { name: "custom" }, input: { command: " uptime" } });
  expect(entry.wrong).toEqual({});
});

test("a form makes an input, or says what is wrong at its field", () => {
  entry.choose("ping");
  entry.entered = { count: "x" };
  expect(entry.read()).toBeNull();
  expect(Object.keys(entry.wrong)).toEqual(["count"]);
  entry.entered = { count: "3" };
  expect(entry.read()?.input).toEqual({ count: 3 });
  entry.choose("reboot");
  expect(entry.entered).toEqual({});
  expect(entry.read()?.input).toBeNull();
});

test("what was run before can be run again, unless a secret is missing or the type is not allowed any more", () => {
  expect(entry.fill("Ping", { count: 3 })?.input).toEqual({ count: 3 });
  expect(entry.entered).toEqual({ count: "3" });
  expect(entry.fill("Custom Command", { command: "uptime" })?.input).toEqual({ command: "uptime" });
  expect(entry.line).toBe("uptime");
  expect(entry.fill("Reboot", null)?.input).toBeNull();
  expect(entry.fill("Log in", { user: "ada", secret: "****" })).toBeNull();
  expect(entry.entered).toEqual({ user: "ada" });
  expect(entry.fill("Of old", null)).toBeUndefined();
  expect(entry.type?.name).toBe("login");
});

test("what is entered while one is sent is for the next", () => {
  entry.line = "next";
  entry.clear({ command: "sent" }, {});
  expect(entry.line).toBe("next");
  entry.clear({ command: "next" }, {});
  expect(entry.line).toBe("");
  entry.choose("ping");
  entry.entered = { count: "4" };
  entry.clear({ count: 3 }, { count: "3" });
  expect(entry.entered).toEqual({ count: "4" });
  entry.clear({ count: 4 }, { count: "4" });
  expect(entry.entered).toEqual({});
});

test("a refusal stands at its field, and the rest is told", () => {
  entry.choose("ping");
  const fields = { "input.count": ["Too many."], input: ["Odd."], devices: ["None."], label: ["Long."] };
  expect(entry.tell(new Refusal(400, "", fields))).toBe("Odd.\ndevices: None.\nlabel: Long.");
  expect(entry.wrong).toEqual({ count: "Too many." });
});
