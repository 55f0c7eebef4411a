// Long lists in the order in which people look for something.

import { language } from "../texts";

const COLLATOR = new Intl.Collator(language, { numeric: true });

/** As people count: 2 before 10. */
export function compareNames(a: string, b: string): number {
  return COLLATOR.compare(a, b);
}

/** By name. */
export function byName<T extends { name: string }>(items: Iterable<T>): T[] {
  return [...items].sort((a, b) => compareNames(a.name, b.name));
}
