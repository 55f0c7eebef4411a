import { expect, test } from "vitest";

import { lastLineOf, plainLine } from "./lines";

test("the last line is one that says something, as the server says it", () => {
  for (const [output, line] of [
    ["", ""],
    ["\n \r\n", ""],
    ["one\ntwo", "two"],
    ["one\r\ntwo\r\n\n  \n", "two"],
    ["10 %\r20 %\r", "20 %"],
    ["done\nexit code: 3", "exit code: 3"],
    ["one", "one"],
  ] as const) {
    expect(lastLineOf(output)).toBe(line);
  }
  expect(lastLineOf("é".repeat(1000))).toBe("é".repeat(200));
  expect(lastLineOf("😀".repeat(1000))).toBe("😀".repeat(200));
});

test("what a terminal would obey is not shown", () => {
  expect(plainLine("plain <b>text</b>")).toBe("plain <b>text</b>");
  expect(plainLine("\u001b[31mred\u001b[0m \u001b]0;title\u0007end")).toBe("red end");
  expect(plainLine("a\u202eb")).toBe("a\ufffdb");
});
