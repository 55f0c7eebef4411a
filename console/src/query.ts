// What stands in an address, believed only where it makes sense.

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether it is the id of anything. */
export function isId(text: string): boolean {
  return UUID.test(text);
}

/** An id as it is compared; null where there is none. */
export function idOf(text: string | null): string | null {
  return text && isId(text) ? text.toLowerCase() : null;
}

/** One of the words that there are, or null. */
export function oneOf<T extends string>(words: T[], text: string | null): T | null {
  return words.find((word) => word === text) ?? null;
}
