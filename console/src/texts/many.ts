// The texts of what runs one command on many devices.

import { plural } from "./plural";

const devices = (count: number) => plural(count, "device", "devices");

export const many = {
  title: "Batches",
  lead: "One command on many devices.",
  begin: "Run on many",
  empty: "No command was run on many devices yet.",
  nothingFound: "No batch fits.",
  more: "Show older ones",
  status: { "in-progress": "Running", success: "Succeeded", failed: "Failed" },
  allStatuses: "All states",
  state: "State",
  count: (count: number) => plural(count, "batch", "batches"),

  choose: {
    title: "Run on many",
    devices: "1. Devices",
    search: "Search by name, address or MAC address",
    onMap: "Choose on the map",
    inArea: "In the map's rectangle",
    noArea: "Leave the rectangle",
    readingArea: (done: number, all: number) => `Looking up who is there: ${done} of ${all} …`,
    allThatFit: (count: number) =>
      count === 0 ? "All that fit" : `All that fit (${count.toLocaleString("en")})`,
    chosen: (count: number) => (count === 0 ? "None chosen" : `${devices(count)} chosen`),
    hidden: (count: number) => `${count.toLocaleString("en")} of them not shown`,
    clear: "Choose none",
    loading: (count: number, all: number | undefined) =>
      all === undefined ? "Loading …" : `Loading ${count.toLocaleString("en")} of ${devices(all)} …`,
    empty: "There are no devices yet.",
    nothingFound: "No device fits.",
    hint: "The shift key takes all from the last one on.",
    command: "2. Command",
    none: "Choose devices first.",
    noTypes: "The organizations of these devices may use no type of command.",
    line: "Command line",
    label: "Name of this run",
    labelHint: "To find it again.",
    check: "Check",
    checking: "Checking …",
    again: (what: string) => `Again what failed of ${what}.`,
    gone: (count: number) =>
      count === 1
        ? "One device is not there any more, or not yours to see."
        : `${devices(count)} are not there any more, or not yours to see.`,
    without: "Go on without them",
    unsure:
      "The server did not answer: it may have begun all the same. Look at the batches before you run it again.",
  },

  plan: {
    title: (what: string) => `Run ${what}?`,
    runs: (count: number) => `It runs on ${devices(count)}.`,
    runsOnNone: "It runs on no device.",
    leftOut: (count: number) => `${devices(count)} ${count === 1 ? "is" : "are"} left out:`,
    andMore: (count: number) => `and ${count.toLocaleString("en")} more`,
    run: (count: number) => `Run on ${devices(count)}`,
    running: "Sending …",
    back: "Back",
  },

  batch: {
    all: "All",
    statuses: {
      queued: "Waiting",
      "in-progress": "Running",
      success: "Succeeded",
      failed: "Failed",
      skipped: "Left out",
    },
    filter: "Show",
    progress: "Progress",
    done: (ended: number, all: number) => `${ended.toLocaleString("en")} of ${devices(all)} finished`,
    search: "Search devices",
    results: "Results",
    exit: (code: number) => `exit ${code}`,
    cancel: "Cancel the rest",
    cancelling: "Cancelling …",
    cancelled: "What waited has ended, what runs is being ended.",
    wasOver: "All had ended already.",
    again: (count: number) => `Run again on the ${count.toLocaleString("en")} that failed`,
    csv: "Download CSV",
    json: "Download JSON",
    nothingFound: "No device fits.",
    by: (who: string) => `by ${who}`,
    reading: (count: number, all: number) =>
      `Loading ${count.toLocaleString("en")} of ${all.toLocaleString("en")} results …`,
    over: (success: number, failed: number) =>
      `The batch is over: ${success.toLocaleString("en")} succeeded, ${failed.toLocaleString("en")} failed.`,
  },

  area: {
    begin: "Choose with a rectangle",
    label: "Rectangle on the map",
    help: "Draw a rectangle. With the keyboard: arrows move it, with the shift key they resize it, Enter takes it, Escape leaves.",
    helpTouch: "Draw a rectangle with a finger.",
    inside: (count: number) => plural(count, "vehicle in it", "vehicles in it"),
    take: "Run a command on these",
    leave: "Leave",
  },
};
