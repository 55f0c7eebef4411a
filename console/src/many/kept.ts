// What is chosen and too much for an address, for when the page is loaded again in this tab.

const KEY = "fleetwire-chosen";

export function keep(ids: ReadonlySet<string>): void {
  try {
    sessionStorage.setItem(KEY, [...ids].join(","));
  } catch {
    // A browser that keeps nothing forgets it with the page.
  }
}

export function kept(): ReadonlySet<string> {
  try {
    return new Set((sessionStorage.getItem(KEY) ?? "").split(",").filter(Boolean));
  } catch {
    return new Set();
  }
}
