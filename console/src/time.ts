// Moments and durations for people.

import { texts } from "./texts";

/** How long ago `then` was at `now`, both in milliseconds. */
export function ago(then: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - then) / 1000));
  if (seconds < 3) return texts.time.now;
  if (seconds < 60) return texts.time.seconds(seconds);
  if (seconds < 3600) return texts.time.minutes(Math.floor(seconds / 60));
  if (seconds < 86_400) return texts.time.hours(Math.floor(seconds / 3600));
  return texts.time.days(Math.floor(seconds / 86_400));
}

/** A duration in milliseconds, as short as it is told apart. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return texts.time.inSeconds(seconds.toFixed(1));
  if (seconds < 60) return texts.time.inSeconds(String(Math.floor(seconds)));
  const minutes = Math.floor(seconds / 60);
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  if (minutes < 60) return texts.time.inMinutes(`${minutes}:${rest}`);
  return texts.time.inHours(`${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`);
}

/** Day and time in the reader's zone, as ISO 8601 writes them: so they are the same in all languages. */
export function moment(iso: string): string {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  return today
    ? date.toLocaleTimeString("en-GB")
    : `${date.toLocaleDateString("en-CA")} ${date.toLocaleTimeString("en-GB", { timeStyle: "short" })}`;
}
