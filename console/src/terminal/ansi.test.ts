import { describe, expect, test } from "vitest";

import { colorOf, PLAIN, Screen, textOf, type Line } from "./ansi";

function shown(...pieces: string[]): { lines: Line[]; text: string } {
  const screen = new Screen();
  for (const piece of pieces) screen.write(piece);
  const lines = [...screen.lines, screen.last];
  return { lines, text: lines.map(textOf).join("\n") };
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

test("a mebibyte in small pieces takes no time worth speaking of", () => {
  const screen = new Screen();
  for (let at = 0; at < 16_384; at += 1) screen.write("\u001b[32mline of sixty-four characters or so, with colour\u001b[0m\n");
  expect(screen.lines.length).toBe(16_384);
});
