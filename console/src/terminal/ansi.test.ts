import { describe, expect, test } from "vitest";

import { colorOf, PLAIN, Screen, textOf, WIDEST_ROW, type Change, type Line } from "./ansi";

function shown(...pieces: string[]): { lines: Line[]; text: string } {
  const screen = new Screen();
  for (const piece of pieces) screen.write(piece);
  const { rows, last } = screen.take();
  const lines = [...rows.map(({ spans }) => spans), last];
  const text = rows.map(({ spans, isEnd }) => textOf(spans) + (isEnd ? "\n" : "")).join("");
  return { lines, text: text + textOf(last) };
}

describe("text", () => {
  test("stays what it is, markup too", () => {
    const text = "<script>alert(1)</script>\n<img src=x onerror=alert(1)>&amp;";
    expect(shown(text).text).toBe(text);
  });

  test("a carriage return writes over the line, as progress does", () => {
    expect(shown("10 %\r20 %\r100 %\ndone").text).toBe("100 %\ndone");
    expect(shown("abcdef\rxy").text).toBe("xycdef");
    expect(shown("abcdef\rxy\u001b[K").text).toBe("xy");
    expect(shown("abc\b\bX").text).toBe("aXc");
    expect(shown("one\r\ntwo\r\n").text).toBe("one\ntwo\n");
  });

  test("what would turn it around is seen", () => {
    expect(shown("a\u202egpj.exe").text).toBe("a\ufffdgpj.exe");
  });

  test("tabs and letters of all scripts pass, other controls do not", () => {
    expect(shown("a\tb\u0007\u0000\u0085 Ñandú 東京 🚌").text).toBe("a\tb Ñandú 東京 🚌");
  });
});

describe("escape sequences", () => {
  test("colour spans of text", () => {
    const { lines } = shown("ok \u001b[1;31mbad\u001b[0m ok");
    expect(lines).toEqual([
      [
        { text: "ok ", style: PLAIN },
        { text: "bad", style: { ...PLAIN, bold: true, ink: 1 } },
        { text: " ok", style: PLAIN },
      ],
    ]);
  });

  test("know the colours of xterm", () => {
    const ink = (sequence: string) => shown(`\u001b[${sequence}mx`).lines[0]?.[0]?.style;
    expect(ink("38;5;208")).toEqual({ ...PLAIN, ink: 208 });
    expect(ink("48;2;1;22;255")).toEqual({ ...PLAIN, paper: "#0116ff" });
    expect(ink("97;100")).toEqual({ ...PLAIN, ink: 15, paper: 8 });
    expect(ink("38;5;999")).toEqual({ ...PLAIN, ink: 255 });
    expect(colorOf(16)).toBe("rgb(0 0 0)");
    expect(colorOf(231)).toBe("rgb(255 255 255)");
    expect(colorOf(232)).toBe("rgb(8 8 8)");
  });

  test("that are no colours leave nothing behind", () => {
    const title = "\u001b]0;evil\u0007";
    const link = "\u001b]8;;javascript:alert(1)\u001b\\click\u001b]8;;\u001b\\";
    const report = "\u001b[6n\u001b[c\u001bP+q\u001b\\";
    expect(shown(`${title}${link}${report}\u001b[2J\u001b[?25l\u001b(B\u001b7end`).text).toBe(
      "clickend",
    );
  });

  test("may be cut anywhere", () => {
    const whole = "a\u001b[1;32mgreen\u001b[0m\u001b]0;title\u0007\u001b(Bz\u001b[38;5;17mblue";
    const expected = shown(whole);
    for (let at = 0; at <= whole.length; at += 1) {
      expect(shown(whole.slice(0, at), whole.slice(at))).toEqual(expected);
    }
    expect(shown(...whole)).toEqual(expected);
  });

  test("that never end hide nothing for ever", () => {
    const { text } = shown("\u001b]0;", "x".repeat(5000), "\nseen");
    expect(text.endsWith("\nseen")).toBe(true);
    expect(shown("\u001b[", "1".repeat(5000), "\nseen").text.endsWith("\nseen")).toBe(true);
  });

  test("that are no numbers hide nothing, and are no looks", () => {
    for (const sequence of ["?C", "1:1C", "?G", ">D", "=1K", "?1K"]) {
      expect(shown(`rm -rf /\u001b[${sequence}; harmless`).text).toMatch(/^rm -rf \/ ?; harmless$/);
    }
    for (const sequence of [">4;1m", "?1m", "4:3m", "38:5:208m"]) {
      expect(shown(`\u001b[${sequence}x`).lines[0]?.[0]?.style).toEqual(PLAIN);
    }
    expect(shown("\u001b[1m\u001b[4:3mx").lines[0]?.[0]?.style).toEqual({ ...PLAIN, bold: true });
  });

  test("do not move further than a line is wide", () => {
    expect(shown("\u001b[999999999Cx").text.length).toBe(1001);
    expect(shown("\u001b[999C".repeat(1000), "x").text.length).toBe(1001);
    expect(shown("ab\u001b[99Dx").text).toBe("xb");
  });
});

/** How many characters a change tells of. */
function size({ rows, last }: Change): number {
  return [...rows.map(({ spans }) => spans), last].reduce((sum, line) => sum + textOf(line).length, 0);
}

describe("what has changed", () => {
  test("is told once, whatever comes after it", () => {
    const screen = new Screen();
    screen.write("one\ntw");
    expect(screen.take()).toEqual({
      from: 0,
      rows: [{ spans: [{ text: "one", style: PLAIN }], isEnd: true }],
      last: [{ text: "tw", style: PLAIN }],
    });
    expect(screen.take()).toEqual({ from: 2, rows: [], last: [] });
    screen.write("o\nthree");
    expect(screen.take()).toEqual({
      from: 2,
      rows: [{ spans: [{ text: "o", style: PLAIN }], isEnd: true }],
      last: [{ text: "three", style: PLAIN }],
    });
    // Written over: from there on it is another row.
    screen.write("\rTH");
    expect(screen.take()).toEqual({ from: 0, rows: [], last: [{ text: "THree", style: PLAIN }] });
    screen.write("\b\b\u001b[1CX\u001b[K");
    expect(screen.take()).toEqual({ from: 1, rows: [], last: [{ text: "X", style: PLAIN }] });
  });

  test("of a line without end is only what came to its end", () => {
    const screen = new Screen();
    let told = 0;
    for (let turn = 0; turn < 300; turn += 1) {
      screen.write("x".repeat(3500));
      told += size(screen.take());
    }
    expect(told).toBe(300 * 3500);
  });

  test("of many lines is each of them, once", () => {
    const screen = new Screen();
    let told = 0;
    for (let turn = 0; turn < 256; turn += 1) {
      screen.write("\u001b[32mline with colour\u001b[0m\n".repeat(64));
      const change = screen.take();
      expect(change.rows.length).toBe(64);
      told += size(change);
    }
    expect(told).toBe(256 * 64 * "line with colour".length);
  });
});

test("a line that is very long goes on in another row, and stays one line", () => {
  const line = "0123456789".repeat(1000);
  const { lines, text } = shown(`${line}\rover`, "\nnext");
  expect(lines.length).toBe(Math.ceil(line.length / WIDEST_ROW) + 1);
  const begun = 2 * WIDEST_ROW;
  expect(text).toBe(`${line.slice(0, begun)}over${line.slice(begun + 4)}\nnext`);
});
