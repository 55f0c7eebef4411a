import { describe, expect, test } from "vitest";

import type { Result, ResultStatus } from "../api/batches";
import type { CommandMessage } from "../live/commands";
import { Follower, PAGES_A_TURN, type Lookup } from "./follow";
import { countsOf, Results } from "./results";

function result(device: string, status: ResultStatus, more: Partial<Result> = {}): Result {
  const command = status === "skipped" ? null : `command-${device}`;
  const none = { exit_code: null, last_line: "", reason: null };
  return { device, device_name: device, organization: "alpha", command, status, ...none, ...more };
}

function message(
  device: string,
  status: "in-progress" | "success" | "failed",
  output = "",
): CommandMessage {
  const id = `command-${device}`;
  const times = { created: "2026-01-01T00:00:00Z", modified: "2026-01-01T00:00:00Z" };
  const rest = { connection: null, type: "Custom Command", input: null };
  return { model: "Command", data: { id, device, status, output, ...times, ...rest } };
}

function listed(...rows: Result[]): Results {
  const results = new Results();
  results.begin().take(rows, 1);
  return results;
}

const statusOf = (results: Results, device: string) => results.get(device)?.status;

describe("merging", () => {
  test("an answer that was on its way does not undo what a socket told meanwhile", () => {
    const results = listed(result("a", "in-progress"));
    const reading = results.begin();
    results.read(message("a", "in-progress", "one\ntwo\n"));
    expect(reading.take([result("a", "in-progress", { last_line: "one" })], 1)).toBe(false);
    expect(results.get("a")?.last_line).toBe("two");
    expect(results.begin().take([result("a", "in-progress", { last_line: "three" })], 1)).toBe(true);
  });

  test("what has ended does not begin again, and REST adds its exit code", () => {
    const results = listed(result("a", "in-progress"));
    results.read(message("a", "failed", "exit code: 3"));
    expect(statusOf(results, "a")).toBe("failed");
    expect(results.doubtful(results.begin(), 0)).toEqual([1]);
    results.begin().take([result("a", "in-progress")], 1);
    results.read(message("a", "in-progress", "late"));
    expect(statusOf(results, "a")).toBe("failed");
    results.begin().take([result("a", "failed", { exit_code: 3, last_line: "exit code: 3" })], 1);
    expect(results.get("a")?.exit_code).toBe(3);
    expect(results.doubtful(results.begin(), 0)).toEqual([]);
  });

  test("what waits is not shown as running because the wire knows only one word", () => {
    const results = listed(result("a", "queued"));
    expect(results.read(message("a", "in-progress"))).toBe(false);
    expect(statusOf(results, "a")).toBe("queued");
    results.read(message("a", "in-progress", "begun"));
    expect(statusOf(results, "a")).toBe("in-progress");
  });

  test("rows are in the order in which people count, also when some come later", () => {
    const results = listed(result("bus 10", "queued"), result("bus 9", "queued"));
    expect(results.sorted().map((it) => it.id)).toEqual(["bus 9", "bus 10"]);
    results.begin().take([result("bus 1", "queued"), result("bus 9", "success")], 1);
    expect(results.sorted().map((it) => it.id)).toEqual(["bus 1", "bus 9", "bus 10"]);
    expect(results.sorted()[1]?.status).toBe("success");
  });

  test("a command that is none of the batch's is of no interest", () => {
    const results = listed(result("a", "queued"));
    expect(results.read(message("b", "failed", "x"))).toBe(false);
    expect(countsOf(results.all())).toMatchObject({ queued: 1, failed: 0 });
  });
});

/** A server whose devices' commands are moved on by the test. */
class Fake implements Lookup {
  readonly rows: Result[];
  asked = 0;

  constructor(size: number) {
    const name = (at: number) => String(at).padStart(5, "0");
    this.rows = Array.from({ length: size }, (_, at) => result(name(at), "queued"));
  }

  move(at: number, status: ResultStatus): void {
    const row = this.rows[at];
    if (row) this.rows[at] = { ...row, status, exit_code: status === "success" ? 0 : null };
  }

  page(page: number) {
    return this.#page(this.rows, page);
  }

  withStatus(status: ResultStatus, page: number) {
    return this.#page(this.rows.filter((it) => it.status === status), page);
  }

  count(status: ResultStatus | null) {
    const rows = this.rows.filter((it) => status === null || it.status === status);
    return Promise.resolve(rows.length);
  }

  #page(rows: Result[], page: number) {
    this.asked += 1;
    return Promise.resolve({ count: rows.length, results: rows.slice((page - 1) * 100, page * 100) });
  }
}

const signal = new AbortController().signal;

describe("following", () => {
  test("a turn in which nothing happens looks up no page but that of what runs", async () => {
    const fake = new Fake(5000);
    const follower = new Follower(new Results(), fake, () => undefined);
    expect(await follower.turn(signal)).toBe("news");
    expect(fake.asked).toBe(50);
    fake.asked = 0;
    expect(await follower.turn(signal)).toBe("quiet");
    expect(fake.asked).toBe(1);
  });

  test("what began and ended unseen is found, a few pages a turn", async () => {
    const fake = new Fake(1000);
    const results = new Results();
    const follower = new Follower(results, fake, () => undefined);
    await follower.turn(signal);
    for (const at of [3, 512, 999]) fake.move(at, "success");
    for (let turn = 0; turn < 2; turn += 1) {
      fake.asked = 0;
      await follower.turn(signal);
      expect(fake.asked).toBeLessThanOrEqual(PAGES_A_TURN + 1);
    }
    expect(countsOf(results.all())).toMatchObject({ queued: 997, success: 3 });
  });

  test("nothing is missing at the end, however it went", async () => {
    const fake = new Fake(730);
    const results = new Results();
    const follower = new Follower(results, fake, () => undefined);
    let chance = 7;
    const next = (below: number) => (chance = (chance * 16_807) % 2_147_483_647) % below;
    const isDone = () => fake.rows.every((it) => it.status === "success" || it.status === "failed");
    while (!isDone()) {
      await follower.turn(signal);
      for (let move = 0; move < 60; move += 1) {
        const at = next(fake.rows.length);
        const row = fake.rows[at];
        if (row?.status === "queued") fake.move(at, "in-progress");
        else if (row?.status === "in-progress") fake.move(at, next(3) > 0 ? "success" : "failed");
        // A socket brings the one or the other sooner.
        const ended = fake.rows[at];
        if (move % 2 === 0 && ended?.status === "success" && row?.status !== "success") {
          results.read(message(ended.device, "success", "done"));
          fake.rows[at] = { ...ended, last_line: "done" };
        }
      }
    }
    let turns = 0;
    while ((await follower.turn(signal)) !== "over") expect((turns += 1)).toBeLessThan(50);
    expect(results.all().map(({ id: _, ...row }) => row)).toEqual(fake.rows);
  });

  test("devices of an organization that was lost are gone, and come back with it", async () => {
    const fake = new Fake(250);
    const results = new Results();
    const follower = new Follower(results, fake, () => undefined);
    await follower.turn(signal);
    const lost = fake.rows.splice(50, 100);
    await follower.turn(signal);
    expect(results.size).toBe(150);
    expect(results.get("00060")).toBeUndefined();
    fake.rows.splice(50, 0, ...lost);
    await follower.turn(signal);
    expect(results.size).toBe(250);
  });
});
