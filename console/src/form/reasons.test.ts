import { expect, test } from "vitest";

import { placeReasons } from "./reasons";

test("a reason stands at its field, also within params, and what has none is told as a whole", () => {
  const { wrong, rest } = placeReasons(["name", "params.key"], {
    name: ["Taken.", "Too long."],
    params: ["key: No private key.", "Nothing of that."],
    auto_add: ["No."],
  });
  expect(wrong).toEqual({ name: "Taken. Too long.", "params.key": "No private key." });
  expect(rest).toEqual(["params: Nothing of that.", "auto_add: No."]);
});

test("a reason below a field stands at the field", () => {
  const { wrong } = placeReasons(["organization_users"], { "organization_users.organization": ["No."] });
  expect(wrong).toEqual({ organization_users: "No." });
});
