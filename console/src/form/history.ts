// What was entered before, for the up and down keys, as a shell has it.

export class History {
  #lines: string[] = [];
  /** Where one is; beyond the end is what is being entered. */
  #at = 0;
  #draft = "";

  /** Takes over what was run before, newest first; a line that comes again is there once. */
  learn(newestFirst: string[]): void {
    const known = new Set<string>();
    // What is not among them any more is older than all of them.
    const lines = [...newestFirst, ...this.#lines.toReversed()].filter((line) => {
      if (line.trim() === "" || known.has(line)) return false;
      known.add(line);
      return true;
    });
    // Who goes through it at the moment stays where they are.
    const present = this.#lines[this.#at];
    this.#lines = lines.reverse();
    this.#at = present === undefined ? this.#lines.length : this.#lines.indexOf(present);
  }

  /** Something was run: it is the newest. */
  add(line: string): void {
    this.#lines = [...this.#lines.filter((it) => it !== line), line];
    this.#at = this.#lines.length;
    this.#draft = "";
  }

  /** The one before; `entered` comes back when one returns. */
  previous(entered: string): string | null {
    if (this.#at === 0) return null;
    if (this.#at === this.#lines.length) this.#draft = entered;
    this.#at -= 1;
    return this.#lines[this.#at] ?? null;
  }

  /** The one after. */
  next(): string | null {
    if (this.#at >= this.#lines.length) return null;
    this.#at += 1;
    return this.#at === this.#lines.length ? this.#draft : (this.#lines[this.#at] ?? null);
  }
}
