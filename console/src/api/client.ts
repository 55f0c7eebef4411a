// The REST API, as a page of the same origin asks it: the session's cookie comes along by itself, and
// so does the `Origin` that the server wants to see with whatever is not a question.

import type { Right } from "./rights";

/** What was not done, and why. */
export class Refusal extends Error {
  constructor(
    /** The status of HTTP; 0 where no answer came. */
    readonly status: number,
    /** What the server says. */
    readonly detail: string,
    /** What is wrong with which field. */
    readonly fields: Record<string, string[]> = {},
    /** The right that it takes. */
    readonly right: Right | null = null,
    /** Seconds after which trying again is worthwhile. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail);
  }

  get isSignedOut(): boolean {
    return this.status === 401;
  }
}

export interface Answer<T> {
  data: T;
  /** The moment of the answer, by the server's clock (ISO 8601). */
  date: string;
}

interface Question {
  method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
  /** The right that this takes: a refusal names it. */
  right?: Right;
  /** Whether it is asked again after the log-in where it meets an ended session; what does more than ask never is. */
  waits?: boolean;
}

/** A page of a list. */
export interface Page<T> {
  count: number;
  next: string | null;
  results: T[];
}

let signedOut: () => Promise<boolean> | null = () => null;

/**
 * Who is told that the session has ended. It answers, once somebody has logged in, whether that is the same
 * user; with null where nobody was logged in.
 */
export function onSignedOut(call: typeof signedOut): void {
  signedOut = call;
}

/** How many log-ins there were. */
let logIns = 0;

/** Somebody has logged in: what was asked before and is refused later says nothing of this session. */
export function tellLogIn(): void {
  logIns += 1;
}

let forbidden: () => void = () => undefined;

/** Who is told that a right was lacking: what was known of them may be old. */
export function onForbidden(call: () => void): void {
  forbidden = call;
}

/** How far the server's clock is ahead of ours, in milliseconds, by the last answer. */
let skew = 0;

/** Now, by the server's clock, in milliseconds. */
export function serverNow(): number {
  return Date.now() + skew;
}

export async function ask<T>(path: string, question: Question = {}): Promise<Answer<T>> {
  const asked = logIns;
  const response = await send(path, question);
  const said = Date.parse(response.headers.get("Date") ?? "");
  const date = Number.isNaN(said) ? Date.now() : said;
  // The header knows no milliseconds: within a second of each other the clocks agree.
  const ahead = date + 500 - Date.now();
  skew = Math.abs(ahead) < 1500 ? 0 : ahead;
  if (response.status === 401 && (await isToAskAgain(question, asked))) return ask(path, question);
  if (!response.ok) throw await refusal(response, question.right ?? null);
  const data = response.status === 204 ? null : await response.json();
  return { data: data as T, date: new Date(date).toISOString() };
}

async function send(path: string, question: Question): Promise<Response> {
  const { method = "GET", body, signal } = question;
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers,
      cache: "no-store",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, "");
  }
}

/** Of a question that met no session: whether there is one, now or after the log-in that it waits for. */
async function isToAskAgain(question: Question, asked: number): Promise<boolean> {
  const { method = "GET", waits = true, signal } = question;
  if (asked !== logIns) return method === "GET";
  const isSame = signedOut();
  if (method !== "GET" || !waits || !isSame) return false;
  return signal ? unlessAborted(isSame, signal) : isSame;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    void promise.then((answer) => {
      signal.removeEventListener("abort", stop);
      resolve(answer);
    });
  });
}

async function refusal(response: Response, right: Right | null): Promise<Refusal> {
  const { status } = response;
  const body: unknown = await response.json().catch(() => null);
  if (status === 403 && right) forbidden();
  const after = Number(response.headers.get("Retry-After") ?? NaN);
  const { detail, fields } = reasons(body);
  return new Refusal(
    status,
    detail,
    fields,
    status === 403 ? right : null,
    Number.isNaN(after) ? null : after,
  );
}

/** `{"detail": …}`, or `{"<field>": ["…"]}` with objects below. */
export function reasons(body: unknown): { detail: string; fields: Record<string, string[]> } {
  if (typeof body !== "object" || body === null) return { detail: "", fields: {} };
  const fields: Record<string, string[]> = {};
  let detail = "";
  for (const [name, value] of Object.entries(body)) {
    if (typeof value === "string") {
      if (name === "detail") detail = value;
      else fields[name] = [value];
    } else if (Array.isArray(value)) {
      const texts = value.map(String);
      if (name === "non_field_errors") detail = texts.join(" ");
      else fields[name] = texts;
    } else {
      const below = reasons(value);
      if (below.detail) fields[name] = [below.detail];
      for (const [inner, texts] of Object.entries(below.fields)) fields[`${name}.${inner}`] = texts;
    }
  }
  return { detail, fields };
}

/** The page after: by its path alone, since a proxy may have the server see another scheme. */
export function pathOf(next: string): string {
  const url = new URL(next);
  return url.pathname + url.search;
}
