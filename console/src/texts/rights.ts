// Rights in words.

import { ACTIONS, MODELS, rightTo, type Action, type Model, type Right } from "../api/rights";

export const verbs: Record<Action, string> = {
  view: "see",
  add: "add",
  change: "change",
  delete: "remove",
};

export const things: Record<Model, string> = {
  "config.device": "devices",
  "connection.command": "commands",
  "connection.deviceconnection": "connections",
  "connection.credentials": "credentials",
  "geo.location": "locations",
  "geo.devicelocation": "where devices are",
  "openwisp_users.organization": "organizations",
  "openwisp_users.user": "users",
  "openwisp_users.organizationuser": "places in organizations",
  "openwisp_users.group": "groups",
};

/** Where a verb is not the usual one. */
const own: Partial<Record<Right, string>> = { "connection.add_command": "run commands" };

const words = new Map<Right, string>([["staff", "be a member of staff"]]);
for (const model of MODELS) {
  for (const action of ACTIONS) {
    const right = rightTo(action, model);
    words.set(right, own[right] ?? `${verbs[action]} ${things[model]}`);
  }
}

/** What is lacking, in words and by the name that an administrator needs. */
export function lacking(right: Right): string {
  return right === "staff"
    ? "It takes a user who is a member of staff."
    : `It takes the right to ${words.get(right) ?? right} (${right}).`;
}
