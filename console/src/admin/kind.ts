// A kind of thing that is administered, as a description: where it is in the REST API, which columns its
// list has and which fields its form. One list and one form are made of any of them.

import { rightTo, type Action, type Me, type Model } from "../api/rights";
import { texts } from "../texts";
import type { KindName } from "../urls";

/** Something as the server answers it. */
export type Row = Record<string, unknown> & { id: string };

/** What is in a form, by the names of its fields. */
export type Values = Record<string, unknown>;

/** How a field is shown and entered; what a body holds of it is for {@link toBody}. */
export type FieldKind =
  | "text"
  | "long"
  | "lines"
  | "secret"
  | "number"
  | "day"
  | "boolean"
  | "choice"
  | "one"
  | "many"
  | "permissions"
  | "places"
  | "point"
  | "fact";

export interface Field {
  /** Where it stands in what is answered and sent; a dot leads into an object. */
  name: string;
  label: string;
  kind: FieldKind;
  hint?: string;
  /** Of a choice: what is sent and what is read. */
  choices?: readonly (readonly [value: string, label: string])[];
  /** Of `one` and `many`: what it refers to. */
  of?: KindName;
  isNeeded?: boolean;
  /** What a new one begins with. */
  initial?: unknown;
  /** Sent as null when it is empty. */
  isNullable?: boolean;
  /** Only when one is made, or only when one is there. */
  only?: "new" | "old";
  /** Does not change once it is made. */
  isFixed?: boolean;
  /** A right: nobody changes their own. */
  isRight?: boolean;
  /** Only a form's own: it is not sent. */
  isLocal?: boolean;
  autocomplete?: AutoFill;
  /** Whether it is shown to this user, with what is in the form. */
  isShown?(me: Me, values: Values): boolean;
}

/** Looks up what something that is referred to is called. */
export type NameOf = (kind: KindName, id: string) => string | undefined;

export interface Column {
  label: string;
  text(row: Row, nameOf: NameOf): string;
}

export interface Kind {
  name: KindName;
  /** What rights are about. */
  model: Model;
  /** Where the list is; each one lies below it. */
  path: string;
  columns: readonly Column[];
  fields: readonly Field[];
  /** What one is called. */
  titleOf(row: Row): string;
  /** Where more than the right decides. */
  may?(me: Me, action: Action): boolean;
}

/** Whether a user may do this to anything of this kind. */
export function mayDo(me: Me, kind: Kind, action: Action): boolean {
  const right = rightTo(action, kind.model);
  const holds =
    me.is_superuser ||
    me.permissions.includes(right) ||
    (action === "view" && me.permissions.includes(rightTo("change", kind.model)));
  return holds && (kind.may?.(me, action) ?? true);
}

/** Whether there is something of it to administer for a user. */
export function mayAdminister(me: Me, kind: Kind): boolean {
  const acts = ["add", "change", "delete"] as const;
  return mayDo(me, kind, "view") && acts.some((action) => mayDo(me, kind, action));
}

/** The fields of a form, of a new one (null) or of one that is there. */
export function fieldsFor(kind: Kind, me: Me, row: Row | null, values: Values): Field[] {
  return kind.fields.filter(
    ({ only, isShown }) =>
      only !== (row ? "new" : "old") && (isShown === undefined || isShown(me, values)),
  );
}

/** Whether a user cannot change this field of what is there. */
export function isShut(field: Field, me: Me, row: Row | null): boolean {
  const isOwnRight = field.isRight === true && row?.id === me.id && !me.is_superuser;
  return isOwnRight || (row !== null && field.isFixed === true);
}

/** What a form begins with. */
export function begin(fields: readonly Field[], row: Row | null): Values {
  return Object.fromEntries(fields.map((field) => [field.name, valueOf(field, row)]));
}

function valueOf(field: Field, row: Row | null): unknown {
  const value = row && !field.isLocal ? at(row, field.name) : field.initial;
  switch (field.kind) {
    case "boolean":
      return value === true;
    case "many":
    case "permissions":
    case "places":
      return Array.isArray(value) ? [...(value as unknown[])] : [];
    case "lines":
      return Array.isArray(value) ? value.join("\n") : "";
    case "day":
      return typeof value === "string" ? value.slice(0, 10) : "";
    case "point":
      return isPoint(value) ? value.coordinates : null;
    case "secret":
      return "";
    default:
      return value === null || value === undefined ? "" : String(value as string | number);
  }
}

function isPoint(value: unknown): value is { coordinates: [number, number] } {
  return typeof value === "object" && value !== null && "coordinates" in value;
}

/** What to send: of a new one all that was entered, of one that is there what was changed. */
export function bodyOf(fields: readonly Field[], values: Values, row: Row | null): Values {
  const before = begin(fields, row);
  const body: Values = {};
  for (const field of fields) {
    const value = values[field.name];
    if (field.isLocal || field.kind === "fact" || (row && field.isFixed)) continue;
    const isSame = JSON.stringify(value) === JSON.stringify(before[field.name]);
    const isLeftOut = row ? isSame : isEmpty(value);
    if (!isLeftOut) put(body, field.name, toBody(field, value));
  }
  return body;
}

function toBody(field: Field, value: unknown): unknown {
  switch (field.kind) {
    case "number":
      return Number(value);
    case "lines":
      return String(value)
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean);
    case "day":
      return value || null;
    case "point":
      return value ? { type: "Point", coordinates: value } : null;
    default:
      return value === "" && field.isNullable ? null : value;
  }
}

function isEmpty(value: unknown): boolean {
  return value === "" || value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

/** What is needed and was not entered: the only thing that is not the server's to say. */
export function missing(
  fields: readonly Field[],
  values: Values,
  row: Row | null,
): Record<string, string> {
  // What has been without it since before may stay so.
  const before = row ? begin(fields, row) : {};
  const found = fields.filter(
    ({ name, isNeeded }) => isNeeded && isEmpty(values[name]) && !(row && isEmpty(before[name])),
  );
  return Object.fromEntries(found.map(({ name }) => [name, texts.form.missing]));
}

function at(row: unknown, name: string): unknown {
  return name.split(".").reduce<unknown>(
    (value, part) => (typeof value === "object" && value !== null ? (value as Values)[part] : undefined),
    row,
  );
}

function put(body: Values, name: string, value: unknown): void {
  const [first = "", ...rest] = name.split(".");
  if (rest.length === 0) body[first] = value;
  else put((body[first] ??= {}) as Values, rest.join("."), value);
}

/** A text of a row, for columns and titles. */
export function textAt(row: Row, name: string): string {
  const value = at(row, name);
  return value === null || value === undefined ? "" : String(value as string | number | boolean);
}
