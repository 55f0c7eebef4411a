// What is said of a command in a few words.

import type { Command } from "../live/commands";
import { duration } from "../time";

/** A command line as it is, everything else by its type and input. */
export function titleOf({ type, input }: Pick<Command, "type" | "input">): string {
  if (!input) return type;
  const line = input["command"];
  if (typeof line === "string") return line;
  const parts = Object.entries(input).map(([name, value]) => {
    return `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  return `${type} ${parts.join(" ")}`;
}

/** How long it took, or has been running at `now` (by the server's clock). */
export function lengthOf({ status, created, modified }: Command, now: number): string {
  const end = status === "in-progress" ? now : Date.parse(modified);
  return duration(end - Date.parse(created));
}
