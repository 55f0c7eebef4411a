// Compresses what was built, once and as well as it goes, so that the server only sends it.

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import type { Plugin } from "vite";

/** Smaller files than this fit into one packet anyway. */
const WORTH_BYTES = 512;

/**
 * Each file becomes `<name>.gz` and `<name>.br`, and is itself removed: the binary carries no third
 * copy. The server unpacks the first of them for the rare client that takes neither.
 */
export function compressed(): Plugin {
  let directory = "";
  return {
    name: "fleetwire-compressed",
    apply: "build",
    configResolved(config) {
      directory = join(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const file of filesIn(directory)) {
        if (!/\.(html|js|mjs|css|json|svg)$/.test(file)) continue;
        const content = readFileSync(file);
        // The server writes the configuration into the page.
        if (content.length < WORTH_BYTES || file.endsWith("index.html")) continue;
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
        const params = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
        writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
        rmSync(file);
      }
    },
  };
}

function filesIn(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    return statSync(path).isDirectory() ? filesIn(path) : [path];
  });
}
