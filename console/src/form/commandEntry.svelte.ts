// A command as it is entered, for one device or for many: its type, and the line or the form that its JSON
// Schema makes.

import type { Refusal } from "../api/client";
import type { CommandType } from "../api/resources";
import { texts } from "../texts";
import { entered as enteredOf, fieldsOf, read, type Entered, type Field, type Input } from "./schema";

/** The type whose form is a line, as in a shell, and the name of its line in the input. */
const LINE_TYPE = "custom";
const LINE = "command";

/** What is to be run. */
export interface NewCommand {
  type: CommandType;
  input: Input | null;
}

export class CommandEntry {
  line = $state("");
  entered = $state<Entered>({});
  /** What is wrong, by the field's name. */
  wrong = $state<Record<string, string>>({});
  #chosen = $state<string>();
  #fields = $derived(fieldsOf(this.type?.schema ?? null));

  /** `types` are those that may be used now. */
  constructor(private readonly types: () => CommandType[]) {}

  get type(): CommandType | undefined {
    const types = this.types();
    return types.find((it) => it.name === this.#chosen) ?? types[0];
  }

  get fields(): Field[] {
    return this.#fields;
  }

  get isLine(): boolean {
    return this.type?.name === LINE_TYPE;
  }

  /** What is wrong with the line. */
  get wrongLine(): string {
    return this.isLine ? (this.wrong[LINE] ?? "") : "";
  }

  /** Another type: what was entered for the one before is not for it. */
  choose(name: string): void {
    this.#chosen = name;
    this.entered = {};
    this.wrong = {};
  }

  /** What was entered; null where something of it is wrong, which is told at its field. */
  read(): NewCommand | null {
    const { type, fields, line } = this;
    this.wrong = {};
    if (!type) return null;
    if (this.isLine) {
      if (line.trim()) return { type, input: { [LINE]: line } };
      this.wrong = { [LINE]: texts.form.missing };
      return null;
    }
    if (fields.length === 0) return { type, input: null };
    const { input, wrong } = read(fields, this.entered);
    this.wrong = wrong;
    return Object.keys(wrong).length === 0 ? { type, input } : null;
  }

  /**
   * Takes over what was run before. It answers with what can be run as it is: with null where a secret, which is
   * not kept, has to be entered again; with undefined where this type may not be used any more.
   */
  fill(label: string, input: Input | null): NewCommand | null | undefined {
    const type = this.types().find((it) => it.label === label);
    if (!type) return undefined;
    this.choose(type.name);
    if (this.isLine) {
      this.line = lineOf(input) ?? "";
      return { type, input: { [LINE]: this.line } };
    }
    this.entered = enteredOf(this.fields, input);
    if (this.fields.some((it) => it.kind === "secret")) return null;
    return { type, input: this.fields.length === 0 ? null : input };
  }

  /** It was sent: the next one is entered, unless that was begun meanwhile. */
  clear(sent: Input | null, before: Entered): void {
    if (this.line === lineOf(sent)) this.line = "";
    if (JSON.stringify(this.entered) === JSON.stringify(before)) this.entered = {};
  }

  /** What the server says of a field stands at the field; answers with what belongs to none. */
  tell({ fields: told }: Refusal): string {
    const names = new Set(this.fields.map((it) => it.name));
    const others: string[] = [];
    for (const [path, reasons] of Object.entries(told)) {
      const name = path.replace(/^input\./, "");
      // The devices of a batch stand beside the input.
      if (path !== "devices" && names.has(name)) this.wrong = { ...this.wrong, [name]: reasons.join(" ") };
      else others.push(path === "input" ? reasons.join(" ") : `${name}: ${reasons.join(" ")}`);
    }
    return others.join("\n");
  }
}

/** The line of what was run, if it was one. */
export function lineOf(input: Input | null | undefined): string | null {
  const line = input?.[LINE];
  return typeof line === "string" ? line : null;
}
