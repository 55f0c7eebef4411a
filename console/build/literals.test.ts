import { Linter } from "eslint";
import svelte from "eslint-plugin-svelte";
import { expect, test } from "vitest";

import index from "../index.html?raw";
import { LITERALS } from "./literals.js";

/** How many texts the rule finds outside of their file. */
function found(component: string): number {
  const rules = { "no-restricted-syntax": ["error", ...LITERALS] } as Linter.RulesRecord;
  const config = [...svelte.configs.base, { rules }] as Linter.Config[];
  return new Linter().verify(component, config, "Sample.svelte").length;
}

test("a component with a text of its own is found", () => {
  const own = [
    "<p>Hello</p>",
    "{#if isOpen}Hello{:else}<p>-</p>{/if}",
    "<p>{isOpen ? 'Open' : words.closed}</p>",
    "<p>{isOpen && (name || 'Somebody')}</p>",
    "<p>{`All of ${name}`}</p>",
    '<button aria-label="Close"></button>',
    '<button aria-label="{words.close} Close"></button>',
    "<button title={isOpen ? 'Close' : ''}></button>",
    "<input placeholder={`Like ${name}`} />",
    '<Attached label="Device" />',
    "<p>{count.toLocaleString('en')}</p>",
  ];
  for (const component of own) expect([component, found(component)]).toEqual([component, 1]);
});

test("what no person reads is let through", () => {
  const others = [
    '<p class="quiet" id="hint">{words.hint} · {number(7)} / 3</p>',
    "<p class={isOpen ? 'open' : 'closed'}>{status === 'failed' ? words.failed : words.statuses['success']}</p>",
    "<p style:height=\"{height}px\">{nameOf(kind ?? 'devices', id)}</p>",
    "<style>p { color: red; }</style>",
  ];
  for (const component of others) expect([component, found(component)]).toEqual([component, 0]);
});

test("the page that loads the console has no text of its own", () => {
  const shown = index.matchAll(/>([^<]*)<|(?:content|title|lang)="([^"]*)"/g);
  const texts = [...shown].map(([, text = "", attribute = ""]) => (text + attribute).replace(/\{\{\w+\}\}/g, ""));
  // What the page is to a browser is no text.
  const own = texts.filter((text) => /\p{L}/u.test(text) && !/^(width=device-width|light dark)/.test(text));
  expect(own).toEqual([]);
});
