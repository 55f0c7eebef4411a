import { expect, test } from "vitest";

import { csv, type Column } from "./csv";

const columns: Column<[string, number | null]>[] = [
  { name: "line", value: ([line]) => line },
  { name: "exit", value: ([, exit]) => exit },
];

function written(line: string, exit: number | null = null): string {
  const [, row = ""] = csv(columns, [[line, exit]]).split(/(?<=exit\r\n)/);
  return row;
}

test("a table has a head, its mark and a line a row", () => {
  expect(csv(columns, [["a", 0], ["b", null]])).toBe("\ufeffline,exit\r\na,0\r\nb,\r\n");
});

test("what would end a field is quoted", () => {
  expect(written('say "hi", twice')).toBe('"say ""hi"", twice",\r\n');
  expect(written("two\nlines\r\n")).toBe('"two\nlines\r\n",\r\n');
  expect(written("a;b")).toBe('"a;b",\r\n');
  expect(written(" edge ")).toBe('" edge ",\r\n');
});

test("nothing becomes a formula", () => {
  for (const begin of ["=", "+", "-", "@", "\uff1d"]) {
    expect(written(`${begin}1+1`)).toBe(`'${begin}1+1,\r\n`);
  }
  expect(written("\t=1")).toBe('"\'\t=1",\r\n');
  expect(written('=HYPERLINK("http://evil.test","x")')).toBe(
    '"\'=HYPERLINK(""http://evil.test"",""x"")",\r\n',
  );
  expect(written("load: 0.1", -1)).toBe("load: 0.1,-1\r\n");
});
