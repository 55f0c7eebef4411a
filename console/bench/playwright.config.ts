import base from "../playwright.config.ts";

export default {
  ...base,
  testDir: ".",
  testMatch: ["*.bench.ts", "*.shots.ts"],
  outputDir: "../test-results",
  // A trace takes pictures all the time.
  use: { ...base.use, trace: "off" as const },
  // One at a time: what is measured is to be alone.
  workers: 1,
  fullyParallel: false,
  timeout: 900_000,
};
