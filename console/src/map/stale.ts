/** What has not reported for as long is grey. */
export const STALE_MS = 120_000;
