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

test("an answer that is older than what the socket said takes nothing back", () => {
  const commands = fresh();
  commands.read(message("1", { output: "line 1\n", modified: "2026-01-01T00:00:05.000002Z" }));
  // To what was done, such as running it: the answer has been on its way for longer.
  commands.take(command("1", { modified: "2026-01-01T00:00:05.000001Z", created_by: "ada" }));
  expect(commands.get("1")).toMatchObject({ output: "line 1\n", created_by: "ada" });
  // Looks that overlap: the later answer is the older one.
  commands.beginList()([command("1", { output: "all", status: "success", exit_code: 0 })]);
  commands.beginList()([command("1", { output: "a" })]);
  expect(commands.get("1")).toMatchObject({ output: "all", status: "success", exit_code: 0 });
});

test("what runs is known, and of the rest only the newest stay", () => {
  const commands = fresh();
  const at = (number: number) => `2026-01-01T00:${String(Math.floor(number / 60)).padStart(2, "0")}:${String(number % 60).padStart(2, "0")}.000000Z`;
  commands.keep("1");
  commands.read(message("0", { created: at(0) }));
  for (let number = 1; number <= MOST_COMMANDS + 10; number += 1) {
    commands.read(message(String(number), { created: at(number), status: "success" }));
  }
  expect(commands.running()).toEqual(["0"]);
  // The newest, what still runs, and the one that somebody looks at.
  expect(commands.all().length).toBe(MOST_COMMANDS + 2);
  expect(commands.get("2")).toBe(undefined);
});
