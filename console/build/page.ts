// The texts of `index.html`, which are there before any script runs.

import type { Plugin } from "vite";

import { language, texts } from "../src/texts.ts";

/** Writes them in the place of their names, such as `{{title}}`. */
export function page(): Plugin {
  const words: Record<string, string> = { language, ...texts.start };
  return {
    name: "fleetwire-page",
    transformIndexHtml: {
      order: "pre",
      handler: (html) =>
        html.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
          const text = words[name];
          if (text === undefined) throw new Error(`index.html names the text ${name}, which is not in texts.ts`);
          return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
        }),
    },
  };
}
