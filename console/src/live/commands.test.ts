import { expect, test } from "vitest";

import { Commands, MOST_COMMANDS, type Command, type CommandMessage } from "./commands";

function command(id: string, more: Partial<Command> = {}): Command {
  return {
    id,
    device: "d",
    connection: null,
    type: "Custom Command",
    input: { command: "uptime" },
    output: "",
    status: "in-progress",
    created: `2026-01-01T00:00:0${id}.000000Z`,
    modified: "2026-01-01T00:00:00.000000Z",
    exit_code: null,
    created_by: "ada",
    batch: null,
    ...more,
  };
}

function message(id: string, more: Partial<Command> = {}): CommandMessage {
  const data: Partial<Command> = command(id, more);
  // What only REST knows.
  delete data.exit_code;
  delete data.created_by;
  delete data.batch;
  return { model: "Command", data: data as CommandMessage["data"] };
}

const fresh = () => new Commands(() => undefined);

test("newest first, from the list and from the socket", () => {
  const commands = fresh();
  commands.beginList()([command("1"), command("2")]);
  commands.read(message("3"));
  expect(commands.all().map((it) => it.id)).toEqual(["3", "2", "1"]);
});

test("what only REST says stays when the socket speaks", () => {
  const commands = fresh();
  commands.beginList()([command("1")]);
  commands.read(message("1", { output: "a" }));
  expect(commands.get("1")).toMatchObject({ output: "a", created_by: "ada" });
});

test("a list that was on its way takes nothing back", () => {
  const commands = fresh();
  const take = commands.beginList();
  commands.read(message("1", { output: "a\nb\n" }));
  take([command("1", { output: "a\n" })]);
  expect(commands.get("1")).toMatchObject({ output: "a\nb\n", created_by: "ada" });
});

test("the end is final, whoever tells it first", () => {
  const commands = fresh();
  commands.read(message("1", { output: "a" }));
  commands.beginList()([command("1", { output: "ab", status: "failed", exit_code: 3 })]);
  // A snapshot that was on its way.
  expect(commands.read(message("1", { output: "a" }))).toBe(null);
  expect(commands.get("1")).toMatchObject({ output: "ab", status: "failed", exit_code: 3 });
});

test("an end that the socket told says what is still to be asked for, once", () => {
  const commands = fresh();
  expect(commands.read(message("1"))).toBe(null);
  expect(commands.read(message("1", { status: "success" }))?.id).toBe("1");
  commands.beginList()([command("1", { status: "success", exit_code: 0 })]);
  expect(commands.read(message("1", { status: "success" }))).toBe(null);
  expect(commands.get("1")?.exit_code).toBe(0);
});

test("the answer to what was done takes nothing back of what a message said before it", () => {
  const commands = fresh();
  const take = commands.beginList();
  commands.read(message("1", { output: "a\n", modified: "2026-01-01T00:00:02.000000Z" }));
  take([command("1", { modified: "2026-01-01T00:00:01.000000Z" })]);
  expect(commands.get("1")).toMatchObject({ output: "a\n", created_by: "ada" });
  // Nor does one of which it was not known when it was asked for.
  commands.beginList()([command("1", { modified: "2026-01-01T00:00:01.000000Z" })]);
  expect(commands.get("1")?.output).toBe("a\n");
});

test("of two answers the newer one counts, whichever comes first", () => {
  const commands = fresh();
  const early = commands.beginList();
  const late = commands.beginList();
  late([command("1", { output: "ab", modified: "2026-01-01T00:00:02.000000Z" })]);
  early([command("1", { output: "a", modified: "2026-01-01T00:00:01.000000Z" })]);
  expect(commands.get("1")?.output).toBe("ab");
  late([command("1", { output: "all", status: "success", exit_code: 0 })]);
  early([command("1", { output: "a", modified: "2026-01-01T00:00:03.000000Z" })]);
  expect(commands.get("1")).toMatchObject({ output: "all", status: "success", exit_code: 0 });
});

test("what is old and over is forgotten, what runs or is looked at is not", () => {
  const commands = fresh();
  const created = (at: number) => ({ created: `2026-01-01T00:${String(at).padStart(4, "0")}` });
  commands.want("looked at");
  commands.read(message("runs", created(0)));
  commands.read(message("looked at", { ...created(1), status: "success" }));
  for (let at = 2; at < 1000; at += 1) {
    commands.read(message(`c${at}`, { ...created(at), status: "success" }));
  }
  const kept = commands.all().map((it) => it.id);
  expect(kept).toHaveLength(MOST_COMMANDS);
  expect(kept.slice(0, 2)).toEqual(["c999", "c998"]);
  expect(kept.slice(-2)).toEqual(["looked at", "runs"]);
  expect(commands.open()).toEqual(["runs"]);
});

test("after a list, what is known to run and what is looked at is asked for if it is not in it", () => {
  const commands = fresh();
  commands.beginList()([command("1"), command("2", { status: "success" }), command("3")]);
  commands.want("4");
  expect(commands.beyond([command("3"), command("5")])).toEqual(["1", "4"]);
  commands.remove("1");
  commands.beginList()([command("4", { status: "failed" })]);
  expect(commands.beyond([command("3")])).toEqual([]);
});
