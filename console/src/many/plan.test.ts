import { expect, test } from "vitest";

import type { Result } from "../api/batches";
import { Refusal } from "../api/client";
import { goneOf, planOf } from "./plan";

function result(device_name: string, reason: string | null): Result {
  const status = reason === null ? "queued" : "skipped";
  const none = { command: null, exit_code: null, last_line: "" };
  return { device: device_name, device_name, organization: "alpha", status, reason, ...none };
}

test("who is left out is told by reason, the most frequent first", () => {
  const plan = planOf([
    result("a", null),
    result("b", "off"),
    result("c", "no login"),
    result("d", "no login"),
    result("e", null),
  ]);
  expect(plan).toEqual({
    runs: 2,
    leftOut: [
      { reason: "no login", names: ["c", "d"] },
      { reason: "off", names: ["b"] },
    ],
  });
});

test("what is not there any more is read from the refusal", () => {
  const id = "5f3b8c5e-6a53-4a52-9d0c-3f9f7f0f9d11";
  const devices = [`Invalid pk "${id}" - object does not exist.`, "This list may not be empty."];
  expect(goneOf(new Refusal(400, "", { devices }))).toEqual([id]);
  expect(goneOf(new Refusal(400, "No devices are selected."))).toEqual([]);
});
