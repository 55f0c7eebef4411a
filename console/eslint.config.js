import svelte from "eslint-plugin-svelte";
import tseslint from "typescript-eslint";

import { LITERALS } from "./build/literals.js";
import svelteConfig from "./svelte.config.js";

const types = { projectService: true, extraFileExtensions: [".svelte"] };

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", ".generated/", "test-results/"] },
  ...tseslint.configs.strict,
  ...svelte.configs.recommended,
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { ...types, parser: tseslint.parser, svelteConfig } },
  },
  {
    rules: {
      // HTML made of text is how a device's output becomes a script.
      "svelte/no-at-html-tags": "error",
      // Under the Content-Security-Policy a style attribute does nothing; `style:` directives do.
      "no-restricted-syntax": [
        "error",
        { selector: "SvelteAttribute[key.name='style']", message: "Use a class, or style: directives." },
        ...LITERALS,
      ],
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Make text nodes: what is shown comes from others." },
        { property: "insertAdjacentHTML", message: "Make text nodes." },
        { property: "outerHTML", message: "Make text nodes." },
      ],
      // The router is our own.
      "svelte/no-navigation-without-resolve": "off",
      "svelte/prefer-svelte-reactivity": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
    },
  },
);
