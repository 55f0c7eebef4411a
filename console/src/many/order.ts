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
