// What somebody sends: whether it is on its way, and why it was not taken, at the fields of its form and as a whole.

import { Refusal } from "../api/client";
import { may } from "../api/rights";
import { placeReasons } from "../form/reasons";
import { reasonOf } from "../reason";
import { session } from "./session.svelte";

export interface Options {
  /** The fields that the form shows, by the names that the server gives them. */
  fields?: () => readonly string[];
  /** Where the server has them within what is sent. */
  below?: string;
  /** Another sentence than the usual one, for a refusal that the form knows better. */
  reason?: (refusal: Refusal) => string | undefined;
}

export class Sending {
  #isBusy = $state(false);
  #wrong = $state.raw<Record<string, string>>({});
  #problem = $state("");
  /** Whose fields they are, once it is there. */
  form = $state<HTMLFormElement>();

  constructor(private readonly options: Options = {}) {}

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** What is wrong with which field. */
  get wrong(): Record<string, string> {
    return this.#wrong;
  }

  /** What is wrong with the whole. */
  get problem(): string {
    return this.#problem;
  }

  /** Nothing is wrong any more. */
  clear(): void {
    this.#wrong = {};
    this.#problem = "";
  }

  /** Does it, unless fields are wrong already or it is being done; answers whether it was taken. */
  async send(work: () => Promise<unknown>, wrong: Record<string, string> = {}): Promise<boolean> {
    if (this.#isBusy) return false;
    this.clear();
    if (this.#show(wrong)) return false;
    this.#isBusy = true;
    try {
      await work();
      return true;
    } catch (error) {
      await this.refuse(error);
      return false;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Tells why something was refused. */
  async refuse(error: unknown): Promise<void> {
    const isInvalid = error instanceof Refusal && error.status === 400;
    if (!isInvalid) {
      this.#problem = await this.#reasonOf(error);
      return;
    }
    const { fields, below = "" } = this.options;
    const reasons = Object.entries(error.fields).map(
      ([name, said]) => [name.startsWith(`${below}.`) ? name.slice(below.length + 1) : name, said] as const,
    );
    const { wrong, rest } = placeReasons(fields?.() ?? [], Object.fromEntries(reasons));
    this.#problem = [error.detail, ...rest].filter(Boolean).join("\n");
    this.#show(wrong);
  }

  async #reasonOf(error: unknown): Promise<string> {
    if (!(error instanceof Refusal)) return reasonOf(error);
    const known = this.options.reason?.(error);
    if (known !== undefined) return known;
    const { status, detail, right } = error;
    if (status === 403 && detail && right) {
      // The server has reasons of its own beside a right that is lacking, or that has been taken away.
      const me = await session.refresh().catch(() => session.me);
      if (me && may(me, right)) return detail;
    }
    return reasonOf(error);
  }

  /** Leads to the first field that is wrong, if any is. */
  #show(wrong: Record<string, string>): boolean {
    this.#wrong = wrong;
    if (Object.keys(wrong).length === 0) return false;
    requestAnimationFrame(() => {
      const first = this.form?.querySelector<HTMLElement>('[aria-invalid="true"], [data-wrong] :enabled');
      first?.focus();
    });
    return true;
  }
}
