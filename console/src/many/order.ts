// Long lists in the order in which people look for something.

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** As people count: 2 before 10. */
export function compareNames(a: string, b: string): number {
  return COLLATOR.compare(a, b);
}

/** By name. */
export function byName<T extends { name: string }>(items: Iterable<T>): T[] {
  return [...items].sort((a, b) => compareNames(a.name, b.name));
}

/**
 * Whether a list that comes in pages of a hundred is worth putting in order when so many have come: with
 * the first page, and from then on with each thousand. Ten thousand names a hundred times would be seconds.
 */
export function isToShow(count: number): boolean {
  return count <= 100 || count % 1000 === 0;
}
