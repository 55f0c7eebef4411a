// Checks an AsyncAPI document with AsyncAPI's own parser: prints it as JSON, its references
// resolved, or what is wrong with it.
//
// Usage: asyncapi.js FILE

import { readFile } from "node:fs/promises";
import asyncapi from "@asyncapi/parser";

// Of the severities of a diagnostic, 0 is an error and 1 a warning; the rest is advice.
const WARNING = 1;

const text = await readFile(process.argv[2], "utf8");
const { document, diagnostics } = await new asyncapi.Parser().parse(text);
const wrong = diagnostics.filter(({ severity }) => severity <= WARNING);
for (const { code, path, message } of wrong) {
  console.error(`${code}: ${path.join(".")}: ${message}`);
}
if (wrong.length > 0 || !document) {
  process.exit(1);
}
console.log(JSON.stringify(document.json()));
