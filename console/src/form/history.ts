// What was entered before, for the up and down keys, as a shell has it.

export class History {
  #lines: string[] = [];
  /** How far back one is; none is what is being entered. */
  #back = 0;
  #draft = "";

  /** Takes over what was run, newest first; a line that comes again is there once. */
  learn(newestFirst: string[]): void {
    const known = new Set<string>();
    const lines = [...newestFirst, ...this.#lines.toReversed()].filter((line) => {
      if (line.trim() === "" || known.has(line)) return false;
      known.add(line);
      return true;
    });
    // Who goes through it at the moment stays at the same line.
    const here = this.#back > 0 ? this.#lines.at(-this.#back) : undefined;
    this.#lines = lines.reverse();
    if (here !== undefined) this.#back = this.#lines.length - this.#lines.lastIndexOf(here);
  }

  /** Something was run: it is the newest. */
  add(line: string): void {
    this.#lines = [...this.#lines.filter((it) => it !== line), line];
    this.#back = 0;
    this.#draft = "";
  }

  /** The one before; `entered` comes back when one returns. */
  previous(entered: string): string | null {
    if (this.#back === this.#lines.length) return null;
    if (this.#back === 0) this.#draft = entered;
    this.#back += 1;
    return this.#lines.at(-this.#back) ?? null;
  }

  /** The one after. */
  next(): string | null {
    if (this.#back === 0) return null;
    this.#back -= 1;
    return this.#back === 0 ? this.#draft : (this.#lines.at(-this.#back) ?? null);
  }
}
