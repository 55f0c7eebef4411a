import { expect, test } from "vitest";

import { entered, fieldsOf, read, type Schema } from "./schema";

const SCHEMA: Schema = {
  type: "object",
  required: ["destination"],
  properties: {
    destination: { type: "string", pattern: "^[0-9A-Za-z][0-9A-Za-z.:-]*$", maxLength: 20 },
    count: { type: "integer", minimum: 1, maximum: 20, default: 4 },
    ratio: { type: "number" },
    verbose: { type: "boolean" },
    family: { enum: ["inet", 6] },
    secret: { type: "string", writeOnly: true, minLength: 6 },
    files: { type: "array", items: { type: "string" } },
    more: { type: ["string", "null"] },
  },
};
const FIELDS = fieldsOf(SCHEMA);

test("each property is a field of its kind", () => {
  expect(FIELDS.map((it) => [it.name, it.kind, it.isRequired, it.placeholder])).toEqual([
    ["destination", "text", true, ""],
    ["count", "integer", false, "4"],
    ["ratio", "number", false, ""],
    ["verbose", "boolean", false, ""],
    ["family", "choice", false, ""],
    ["secret", "secret", false, ""],
    ["files", "list", false, ""],
    ["more", "json", false, ""],
  ]);
  expect(fieldsOf(null)).toEqual([]);
});

test("the input has the types of the schema, and nothing that was not entered", () => {
  const all = {
    destination: "10.0.0.1",
    count: " 7 ",
    ratio: "1,5",
    verbose: "false",
    family: "1",
    secret: "hunter22",
    files: "a b\n\nc",
    more: "null",
  };
  expect(read(FIELDS, all)).toEqual({
    input: {
      destination: "10.0.0.1",
      count: 7,
      ratio: 1.5,
      verbose: false,
      family: 6,
      secret: "hunter22",
      files: ["a b", "c"],
      more: null,
    },
    wrong: {},
  });
  expect(read(FIELDS, { destination: "x" })).toEqual({ input: { destination: "x" }, wrong: {} });
});

test("mistakes are told at their field", () => {
  const { input, wrong } = read(FIELDS, {
    destination: "-rf",
    count: "1.5",
    ratio: "x",
    secret: "short",
    more: "{",
  });
  expect(input).toEqual({});
  expect(Object.keys(wrong)).toEqual(["destination", "count", "ratio", "secret", "more"]);
  expect(Object.keys(read(FIELDS, {}).wrong)).toEqual(["destination"]);
  expect(Object.keys(read(FIELDS, { destination: "a", count: "21" }).wrong)).toEqual(["count"]);
});

test("what was run before comes back into the fields, but no secret", () => {
  const input = { destination: "a", count: 3, verbose: true, family: 6, secret: "********", files: ["x", "y"] };
  expect(entered(FIELDS, input)).toEqual({
    destination: "a",
    count: "3",
    verbose: "true",
    family: "1",
    files: "x\ny",
  });
});

test("a pattern that is no JavaScript is left to the server", () => {
  const fields = fieldsOf({ properties: { a: { type: "string", pattern: "(?i)x" } } });
  expect(read(fields, { a: "y" }).wrong).toEqual({});
});
