// What ESLint finds where a component tells a person something that does not stand in `src/texts.ts`, the one file
// that a translation takes.

// As text between tags…
const TEXT = ":not(SvelteStyleElement) > SvelteText[value=/\\p{L}/u]";
// …in an attribute, or a property of a component, that is shown or read out…
const ATTRIBUTE =
  "SvelteAttribute[key.name=/^(aria-(label|description|placeholder|roledescription|valuetext)|alt|label|lead|placeholder|title)$/]";
// …or in an expression in the place of either: the string itself, or one of two. What something is
// compared with, or a function is called with, is none.
const EXPRESSION = ":not(SvelteAttribute, SvelteStyleDirective, SvelteSpecialDirective) > SvelteMustacheTag";
const ONE_OF =
  ":matches(SvelteMustacheTag, ConditionalExpression, LogicalExpression, TemplateLiteral):not(CallExpression *)";
const STRING = ":matches(Literal[value=/\\p{L}/u], TemplateElement[value.raw=/\\p{L}/u])";

/** For the rule `no-restricted-syntax`. */
export const LITERALS = [
  ...[
    TEXT,
    `${ATTRIBUTE} > SvelteLiteral[value=/\\p{L}/u]`,
    `${ATTRIBUTE} ${ONE_OF} > ${STRING}`,
    `${EXPRESSION} > ${STRING}`,
    `${EXPRESSION} ${ONE_OF} > ${STRING}`,
  ].map((selector) => ({ selector, message: "What a person reads stands in src/texts.ts." })),
  {
    selector: "CallExpression[callee.property.name='toLocaleString'] > Literal:first-child",
    message: "Numbers are written by number() of src/texts.ts.",
  },
];
