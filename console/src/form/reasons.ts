// Why what was sent with a form was not taken: the server's reasons, where a person finds them.

export interface Placed {
  /** At the fields. */
  wrong: Record<string, string>;
  /** What has no field in the form. */
  rest: string[];
}

/** Each reason at its field, if that is one of these. */
export function placeReasons(
  fields: readonly string[],
  reasons: Record<string, string[]>,
): Placed {
  const wrong: Record<string, string> = {};
  const rest: string[] = [];
  const place = (name: string, reason: string) => {
    const own = fields.find((it) => name === it || name.startsWith(`${it}.`));
    if (own) wrong[own] = own in wrong ? `${wrong[own] ?? ""} ${reason}` : reason;
    else rest.push(`${name}: ${reason}`);
  };
  for (const [name, sentences] of Object.entries(reasons)) {
    for (const sentence of sentences) {
      // What is wrong within `params` is told as "password: …".
      const inner = /^(\w+): (.*)$/s.exec(sentence);
      if (!fields.includes(name) && inner?.[1] && fields.includes(`${name}.${inner[1]}`)) {
        place(`${name}.${inner[1]}`, inner[2] ?? "");
      } else place(name, sentence);
    }
  }
  return { wrong, rest };
}
