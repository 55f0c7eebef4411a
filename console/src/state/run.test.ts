import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Device } from "../api/resources";
import { RunState } from "./run.svelte";

/** What the server says to each path; a path without one is answered when the test says so. */
let answers: Record<string, () => Promise<Response>>;
let asked: string[];
let page: RunState;

beforeEach(() => {
  answers = {};
  asked = [];
  page = new RunState();
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    return answers[path]?.() ?? new Promise(() => undefined);
  });
});

afterEach(() => {
  page.stop();
  vi.unstubAllGlobals();
});

function device(id: string, organization: string): Device {
  return { id, organization, name: id } as Device;
}

const typesOf = (id: string) => `/api/v1/controller/device/${id}/command-type/`;
const types = (...names: string[]) => Response.json(names.map((name) => ({ name, label: name })));
const names = () => page.types.map((it) => it.name);

test("types of command that were not to be had are asked for again", async () => {
  answers[typesOf("a")] = () => Promise.resolve(Response.json({}, { status: 503 }));
  page.wantTypes([device("a", "A")]);
  await vi.waitFor(() => expect(page.wrong).not.toBe(""));
  expect(asked).toHaveLength(1);
  answers[typesOf("a")] = () => Promise.resolve(types("custom"));
  page.wantTypes([device("a", "A")]);
  await vi.waitFor(() => expect(names()).toEqual(["custom"]));
});

test("a late answer shows nothing of an organization that is not chosen any more", async () => {
  let late: (answer: Response) => void = () => undefined;
  answers[typesOf("a")] = () => new Promise((resolve) => (late = resolve));
  answers[typesOf("b")] = () => Promise.resolve(types("reboot"));
  page.wantTypes([device("a", "A")]);
  page.wantTypes([device("b", "B")]);
  await vi.waitFor(() => expect(names()).toEqual(["reboot"]));
  late(types("custom"));
  await vi.waitFor(() => expect(page.isAskingTypes).toBe(false));
  expect(names()).toEqual(["reboot"]);
});
