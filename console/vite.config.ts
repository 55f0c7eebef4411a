import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

import { compressed } from "./build/compressed.ts";
import { page } from "./build/page.ts";
import { places } from "./build/places.ts";
import { world } from "./build/world.ts";

// `npm run dev` beside a server that runs already: `fleetwire demo --listen 127.0.0.1:8000`.
const server = process.env["FLEETWIRE_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [page(), places(), world(), svelte(), compressed()],
  build: {
    target: "es2022",
    // Nothing is inlined as a data URL: each file is one of our own origin, cached by its name.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // MapLibre alone is more than the usual bound.
    chunkSizeWarningLimit: 1500,
    // A file of its own: ours changes more often than it does.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: "maplibre", test: /node_modules[\\/]maplibre-gl/ }] } },
    },
  },
  server: {
    proxy: {
      "/api": { target: server },
      "/accounts": { target: server },
      "/healthz": { target: server },
      "/ws": { target: server, ws: true },
    },
  },
  test: {
    include: ["src/**/*.test.ts", "build/**/*.test.ts"],
    environment: "node",
  },
});
