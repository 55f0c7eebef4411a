import { expect, test } from "vitest";

import { ACTIONS, MODELS, partsOf, rightTo } from "./api/rights";
import { lacking } from "./reason";

test("what is lacking is told in words and by its name", () => {
  expect(lacking("staff")).toBe("It takes a user who is a member of staff.");
  expect(lacking("geo.view_devicelocation")).toBe(
    "It takes the right to see where devices are (geo.view_devicelocation).",
  );
  expect(lacking("connection.add_command")).toBe(
    "It takes the right to run commands (connection.add_command).",
  );
});

test("each right is taken apart into what it was made of", () => {
  for (const model of MODELS) {
    for (const action of ACTIONS) {
      const right = rightTo(action, model);
      if (right !== "staff") expect(partsOf(right)).toEqual({ action, model });
    }
  }
});
