import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { ask, onSignedOut, Refusal, tellLogIn } from "./client";

/** What each question is answered with, one after the other. */
let answers: (Response | Promise<Response>)[];
let asked: string[];
let told: number;
let comeBack: (isSame: boolean) => void;

const ended = () => Response.json({ detail: "Authentication credentials were not provided." }, { status: 401 });
const answer = () => Response.json("there");

beforeEach(() => {
  [answers, asked, told] = [[], [], 0];
  vi.stubGlobal("fetch", (path: string, { method }: RequestInit) => {
    asked.push(`${method} ${path}`);
    return Promise.resolve(answers.shift());
  });
  const next = new Promise<boolean>((resolve) => (comeBack = resolve));
  onSignedOut(() => {
    told += 1;
    return next;
  });
});

afterEach(() => {
  onSignedOut(() => null);
  vi.unstubAllGlobals();
});

/** As somebody whose promise is not awaited yet. */
function outcome(question: Promise<unknown>): { is: unknown } {
  const result: { is: unknown } = { is: "open" };
  question.then(
    (value) => (result.is = value),
    (error: unknown) => (result.is = error instanceof Refusal ? error.status : (error as Error).name),
  );
  return result;
}

test("a question that meets an ended session is asked again after the log-in of the same user", async () => {
  answers = [ended(), answer()];
  const result = outcome(ask("/x").then(({ data }) => data));
  await vi.waitFor(() => expect(told).toBe(1));
  expect(result.is).toBe("open");
  comeBack(true);
  await vi.waitFor(() => expect(result.is).toBe("there"));
  expect(asked).toEqual(["GET /x", "GET /x"]);
});

test("for another user nothing is asked again", async () => {
  answers = [ended()];
  const result = outcome(ask("/x"));
  comeBack(false);
  await vi.waitFor(() => expect(result.is).toBe(401));
  expect(asked).toHaveLength(1);
});

test("what does more than ask is refused at once, and never done by itself", async () => {
  for (const method of ["POST", "PATCH", "PUT", "DELETE"] as const) {
    answers = [ended()];
    const result = outcome(ask("/x", { method, body: {} }));
    await vi.waitFor(() => expect(result.is).toBe(401));
  }
  comeBack(true);
  await Promise.resolve();
  expect(asked).toHaveLength(4);
  expect(told).toBe(4);
});

test("who does not want to wait for the log-in does not", async () => {
  answers = [ended()];
  const result = outcome(ask("/me", { waits: false }));
  await vi.waitFor(() => expect(result.is).toBe(401));
});

test("who leaves does not wait for the log-in, and asks nothing after it", async () => {
  const leaving = new AbortController();
  answers = [ended(), answer()];
  const result = outcome(ask("/x", { signal: leaving.signal }));
  await vi.waitFor(() => expect(told).toBe(1));
  leaving.abort();
  await vi.waitFor(() => expect(result.is).toBe("AbortError"));
  comeBack(true);
  await Promise.resolve();
  expect(asked).toHaveLength(1);
});

test("a refusal that was on its way during a log-in does not end the new session", async () => {
  let late: (answer: Response) => void = () => undefined;
  answers = [new Promise((resolve) => (late = resolve)), answer()];
  const result = outcome(ask("/x").then(({ data }) => data));
  tellLogIn();
  late(ended());
  await vi.waitFor(() => expect(result.is).toBe("there"));
  expect(told).toBe(0);
});

test("where nobody was logged in a question is refused", async () => {
  onSignedOut(() => null);
  answers = [ended()];
  const result = outcome(ask("/x"));
  await vi.waitFor(() => expect(result.is).toBe(401));
});
