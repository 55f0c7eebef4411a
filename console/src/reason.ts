// Why something was refused, in one sentence for a person.

import { Refusal } from "./api/client";
import { partsOf, type Right } from "./api/rights";
import { texts } from "./texts";

/** What is lacking, in words and by the name that an administrator needs. */
export function lacking(right: Right): string {
  if (right === "staff") return texts.refusal.lacksStaff;
  const { verbs, things, special } = texts.rights;
  const { action, model } = partsOf(right);
  return texts.refusal.lacksRight(special[right] ?? `${verbs[action]} ${things[model]}`, right);
}

export function forbidden(right: Right): string {
  return texts.refusal.forbidden(lacking(right));
}

/** To somebody before whose eyes it was lost. */
export function rightLost(right: Right): string {
  return `${texts.connection.rightLost} ${lacking(right)}`;
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Refusal)) return texts.refusal.unreachable;
  const { status, detail, right, fields } = error;
  if (status === 0) return texts.refusal.unreachable;
  if (error.isSignedOut) return texts.refusal.signedOut;
  if (status === 403 && right) return forbidden(right);
  if (status === 404) return texts.refusal.gone;
  if (status === 503) return texts.refusal.unavailable;
  if (detail) return detail;
  const told = Object.entries(fields).map(([name, reasons]) => `${name}: ${reasons.join(" ")}`);
  return told.join("\n") || texts.refusal.unknown(status);
}
