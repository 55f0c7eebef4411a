// Why something was refused, in one sentence for a person.

import { Refusal } from "./api/client";
import { texts } from "./texts";

export function reasonOf(error: unknown): string {
  if (!(error instanceof Refusal)) return texts.refusal.unreachable;
  const { status, detail, right, fields } = error;
  if (status === 0) return texts.refusal.unreachable;
  if (error.isSignedOut) return texts.refusal.signedOut;
  if (status === 403 && right) return texts.refusal.forbidden(right);
  if (status === 404) return texts.refusal.gone;
  if (status === 503) return texts.refusal.unavailable;
  if (detail) return detail;
  const told = Object.entries(fields).map(([name, reasons]) => `${name}: ${reasons.join(" ")}`);
  return told.join("\n") || texts.refusal.unknown(status);
}
