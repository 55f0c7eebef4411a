// Whole lists of what is administered: for the page of one, and for what the forms of others refer to.

import { Refusal } from "../api/client";
import { readRows } from "../api/pages";
import { rightTo, type Me } from "../api/rights";
import { compareNames } from "../many/order";
import type { KindName } from "../urls";
import { mayDo, type Kind, type Row } from "./kind";
import { kinds } from "./kinds";

export class Lists {
  #rows = $state.raw<Partial<Record<KindName, Row[] | undefined>>>({});
  #names = $derived(
    Object.fromEntries(
      Object.entries(this.#rows).map(([name, rows]) => {
        const { titleOf } = kinds[name as KindName];
        return [name, new Map((rows ?? []).map((row) => [row.id, titleOf(row)]))];
      }),
    ) as Partial<Record<KindName, Map<string, string>>>,
  );

  constructor(private readonly me: Me) {}

  /** By name; undefined until it is there. */
  of(kind: KindName): Row[] | undefined {
    return this.#rows[kind];
  }

  readonly nameOf = (kind: KindName, id: string): string | undefined => this.#names[kind]?.get(id);

  /** Reads all pages, each shown as it comes. Those of an earlier reading stay until this one is done. */
  async load(name: KindName, signal: AbortSignal): Promise<void> {
    const kind = kinds[name];
    const isFirst = this.#rows[name] === undefined;
    const path = `${kind.path}?page_size=100`;
    const rows = await readRows(path, this.#question(kind, signal), ({ id }: Row) => id, (found) => {
      if (isFirst) this.#set(name, found().rows);
    });
    this.#set(name, rows);
  }

  /** What forms and lists refer to, as far as the user may see it. */
  async refer(name: KindName, signal: AbortSignal): Promise<void> {
    if (this.#rows[name]) return;
    if (name === "organizations" && !this.me.is_superuser) {
      const own = this.me.organizations.filter((it) => it.is_manager);
      return this.#set(name, own.map(({ id, name, slug }) => ({ id, name, slug })));
    }
    if (!mayDo(this.me, kinds[name], "view")) return this.#set(name, []);
    try {
      await this.load(name, signal);
    } catch (error) {
      // Without names the rest is there all the same.
      if (!(error instanceof Refusal) && !signal.aborted) throw error;
    }
  }

  /** What was read of it is not true any more. */
  forget(name: KindName): void {
    this.#rows = { ...this.#rows, [name]: undefined };
  }

  #question(kind: Kind, signal: AbortSignal) {
    return { signal, right: rightTo("view", kind.model) };
  }

  #set(name: KindName, rows: Row[]): void {
    const { titleOf } = kinds[name];
    const sorted = rows.toSorted((a, b) => compareNames(titleOf(a), titleOf(b)));
    this.#rows = { ...this.#rows, [name]: sorted };
  }
}
