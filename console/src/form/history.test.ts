import { expect, test } from "vitest";

import { History } from "./history";

test("up and down go through what was run, and back to what was being entered", () => {
  const history = new History();
  history.learn(["uptime", "df -h", "uptime", " "]);
  expect(history.previous("dra")).toBe("uptime");
  expect(history.previous("uptime")).toBe("df -h");
  expect(history.previous("df -h")).toBe(null);
  expect(history.next()).toBe("uptime");
  expect(history.next()).toBe("dra");
  expect(history.next()).toBe(null);
});

test("what is run is the newest, and there once", () => {
  const history = new History();
  history.learn(["b", "a"]);
  history.add("a");
  expect(history.previous("")).toBe("a");
  expect(history.previous("a")).toBe("b");
  history.learn(["a", "c"]);
  expect(history.next()).toBe("c");
  expect(history.next()).toBe("a");
});

test("what somebody else runs is newer than what was known, and takes nobody away from where they are", () => {
  const history = new History();
  history.learn(["b", "a"]);
  expect(history.previous("draft")).toBe("b");
  history.learn(["c", "b", "a"]);
  expect(history.previous("b")).toBe("a");
  expect(history.next()).toBe("b");
  expect(history.next()).toBe("c");
  expect(history.next()).toBe("draft");
  expect(history.previous("draft")).toBe("c");
});
