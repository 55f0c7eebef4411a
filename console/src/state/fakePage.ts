// As much of a browser's page as the state of the console's pages knows, for their tests.

import { vi } from "vitest";

/** Stands for a page at that address until `vi.unstubAllGlobals()`. */
export function stubPage(address = "http://server/"): void {
  vi.stubGlobal("location", new URL(address));
  vi.stubGlobal("history", { pushState: () => undefined, replaceState: () => undefined });
  vi.stubGlobal("window", { addEventListener: () => undefined, scrollTo: () => undefined });
  vi.stubGlobal("document", { addEventListener: () => undefined, hidden: false });
  vi.stubGlobal("navigator", { onLine: true });
}
