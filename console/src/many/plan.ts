// What a dry run says: on how many devices a command would run, and which are left out and why.

import type { Result } from "../api/batches";
import type { Refusal } from "../api/client";

export interface Plan {
  runs: number;
  leftOut: LeftOut[];
}

/** Those that one reason leaves out, by name. */
export interface LeftOut {
  reason: string;
  names: string[];
}

export function planOf(results: Result[]): Plan {
  const reasons = new Map<string, string[]>();
  let runs = 0;
  for (const { status, reason, device_name } of results) {
    if (status !== "skipped") {
      runs += 1;
      continue;
    }
    const names = reasons.get(reason ?? "") ?? [];
    names.push(device_name);
    reasons.set(reason ?? "", names);
  }
  const leftOut = [...reasons].map(([reason, names]) => ({ reason, names }));
  return { runs, leftOut: leftOut.sort((a, b) => b.names.length - a.names.length) };
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** The devices that a refusal says are not there: they were removed, or their organization was lost. */
export function goneOf(refusal: Refusal): string[] {
  return (refusal.fields["devices"] ?? []).flatMap((reason) => reason.match(ID) ?? []);
}
