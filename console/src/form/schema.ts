// The input of a command type, as its JSON Schema says it: which fields a form has, what is wrong with
// what was entered, and the input that is made of it. The server checks everything once more.

import { texts } from "../texts";

/** As much of JSON Schema (draft 2020-12) as a form understands; the rest is the server's. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  writeOnly?: boolean;
  examples?: unknown[];
}

export type Kind = "text" | "secret" | "number" | "integer" | "boolean" | "choice" | "list" | "json";

export interface Field {
  name: string;
  label: string;
  kind: Kind;
  isRequired: boolean;
  hint: string;
  choices: unknown[];
  placeholder: string;
  schema: Schema;
}

/** What is in the fields, as text; of a boolean `"true"`, `"false"` or nothing. */
export type Entered = Record<string, string>;

export type Input = Record<string, unknown>;

export function fieldsOf(schema: Schema | null): Field[] {
  const required = new Set(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    label: property.title ?? wordsOf(name),
    kind: kindOf(property),
    isRequired: required.has(name),
    hint: property.description ?? "",
    choices: property.enum ?? [],
    placeholder: placeholderOf(property),
    schema: property,
  }));
}

function wordsOf(name: string): string {
  const words = name.replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function placeholderOf({ default: usual, examples }: Schema): string {
  const example = usual ?? examples?.[0];
  return example === undefined || typeof example === "object" ? "" : String(example);
}

function kindOf(schema: Schema): Kind {
  if (schema.enum) return "choice";
  if (schema.writeOnly || schema.format === "password") return "secret";
  switch (Array.isArray(schema.type) ? "several" : schema.type) {
    case "integer":
      return "integer";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "string":
      return "text";
    case "array":
      return schema.items?.type === "string" ? "list" : "json";
    default:
      return "json";
  }
}

/** What was entered before, as text for the fields; nothing of what is secret. */
export function entered(fields: Field[], input: Input | null): Entered {
  const texts: Entered = {};
  for (const { name, kind, choices } of fields) {
    const value = input?.[name];
    if (value === undefined || kind === "secret") continue;
    if (kind === "choice") texts[name] = String(choices.findIndex((it) => same(it, value)));
    else if (kind === "list" && Array.isArray(value)) texts[name] = value.join("\n");
    else texts[name] = kind === "json" ? JSON.stringify(value) : String(value);
  }
  return texts;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export interface Read {
  input: Input;
  wrong: Record<string, string>;
}

/** Makes the input of what was entered; a field that is empty is left out. */
export function read(fields: Field[], entered: Entered): Read {
  const result: Read = { input: {}, wrong: {} };
  for (const field of fields) {
    const text = entered[field.name] ?? "";
    if (text === "") {
      if (field.isRequired) result.wrong[field.name] = texts.form.missing;
      continue;
    }
    const { value, wrong } = valueOf(field, text);
    const reason = wrong ?? check(field.schema, value);
    if (reason) result.wrong[field.name] = reason;
    else result.input[field.name] = value;
  }
  return result;
}

function valueOf(field: Field, text: string): { value?: unknown; wrong?: string } {
  switch (field.kind) {
    case "text":
    case "secret":
      return { value: text };
    case "integer":
      return /^\s*[+-]?\d+\s*$/.test(text)
        ? { value: Number(text) }
        : { wrong: texts.form.integer };
    case "number": {
      const value = Number(text.replace(",", "."));
      return Number.isFinite(value) && text.trim() ? { value } : { wrong: texts.form.number };
    }
    case "boolean":
      return { value: text === "true" };
    case "choice":
      return { value: field.choices[Number(text)] };
    case "list":
      return { value: text.split("\n").filter((line) => line !== "") };
    case "json":
      try {
        return { value: JSON.parse(text) as unknown };
      } catch {
        return { wrong: texts.form.noJson };
      }
  }
}

/** The most usual mistakes, told before anything is sent. */
function check(schema: Schema, value: unknown): string | null {
  const words = texts.form;
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    if (value < minimum) return words.tooSmall(minimum);
    if (value > maximum) return words.tooLarge(maximum);
  }
  if (typeof value === "string") {
    const length = [...value].length;
    const { minLength = 0, maxLength = Infinity, pattern } = schema;
    if (length < minLength) return words.tooShort(minLength);
    if (length > maxLength) return words.tooLong(maxLength);
    if (pattern !== undefined && !matches(pattern, value)) return words.pattern(pattern);
  }
  return null;
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    // The server's patterns may be of another dialect: then it is the server who says.
    return true;
  }
}
