// Every text of the console, in English. What comes from the server (names, reasons, output) is shown
// as it is.

import type { Right } from "./api/rights";
import { many } from "./texts/many";
import { plural } from "./texts/plural";

const rights: Record<Right, string> = {
  "config.view_device": "see devices",
  "config.add_device": "add devices",
  "config.change_device": "change devices",
  "config.delete_device": "remove devices",
  "connection.view_command": "see commands",
  "connection.add_command": "run commands",
  "connection.view_deviceconnection": "see connections",
  "geo.view_location": "see locations",
  "geo.view_devicelocation": "see where devices are",
  "openwisp_users.view_organization": "see organizations",
  staff: "be a member of staff",
};

/** What is lacking, in words and by the name that an administrator needs. */
function lacking(right: Right): string {
  return right === "staff"
    ? "It takes a user who is a member of staff."
    : `It takes the right to ${rights[right]} (${right}).`;
}

export const texts = {
  name: "fleetwire",
  skip: "Skip to the content",
  loading: "Loading …",
  again: "Try again",
  close: "Close",
  back: "Back",
  none: "none",
  never: "never",

  navigation: { label: "Pages", map: "Map", devices: "Devices", batches: "Batches" },

  account: {
    menu: (user: string) => `Account of ${user}`,
    logOut: "Log out",
    theme: "Colours",
    system: "As the system",
    light: "Light",
    dark: "Dark",
    api: "REST API",
    superuser: "Superuser",
    staff: "Staff",
    manages: "Manages",
  },

  login: {
    title: "Log in",
    lead: "Where your fleet is, and what runs on it.",
    username: "User name or e-mail address",
    password: "Password",
    show: "Show the password",
    submit: "Log in",
    busy: "Logging in …",
    expired: "Your session has ended. Log in again, and you are back where you were.",
    wrong: "This user name and password do not go together.",
    throttled: (seconds: number) =>
      `Too many attempts. Try again in ${plural(Math.ceil(seconds / 60), "minute", "minutes")}.`,
    foreign:
      "The server takes this page for one from elsewhere. Behind a proxy, see server.trusted_proxies.",
    unreachable: "The server does not answer.",
  },

  refusal: {
    lacking,
    forbidden: (right: Right) => `You may not do this. ${lacking(right)} Ask your administrator for it.`,
    gone: "This is not there, or it is not yours to see.",
    unreachable: "The server does not answer. Is the network there?",
    unavailable: "The server cannot answer at the moment. It usually can again in a few seconds.",
    unknown: (status: number) => `That did not work (HTTP ${status}).`,
  },

  connection: {
    label: "Connection",
    live: "Live",
    liveHint: "Changes are shown as they happen.",
    reached: "Connected",
    reachedHint: "The server answers. This page is renewed when it is opened.",
    connecting: "Connecting",
    connectingHint: "Getting what is missing.",
    waiting: (seconds: number) => `Reconnecting in ${seconds} s`,
    offline: "Offline",
    offlineHint: "This device has no network. It goes on by itself when there is one.",
    refused: "Not permitted",
    polling: "Every few seconds",
    stopped: "Not connected",
    retry: "Now",
    why: {
      lost: "The connection was lost.",
      restart: "The server is being restarted.",
      overload: "The server is too busy, or this browser too slow.",
      silent: "The server does not answer any more.",
      failed: "The server does not answer.",
    },
    rightLost: "You may not watch this any more.",
  },

  map: {
    title: "Map",
    label: "Map of the fleet",
    panel: "Vehicles",
    search: "Search vehicles",
    organization: "Organization",
    all: "All organizations",
    unknownOrganization: "…",
    count: (shown: number, all: number) =>
      shown === all ? plural(all, "vehicle", "vehicles") : `${shown} of ${plural(all, "vehicle", "vehicles")}`,
    stale: (count: number) => `${count} silent`,
    empty: "No vehicle has reported yet. A device reports where it is with PUT coordinates/.",
    nothingFound: "No vehicle is called that.",
    follow: "Follow",
    unfollow: "Stop following",
    following: (name: string) => `Following ${name}`,
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    fit: "Show all",
    link: "Copy the link to this view",
    copied: "Copied",
    openDevice: "Open the device",
    noDevice: "No device is at this location.",
    position: "Position",
    reported: "Reported",
    address: "Address",
    hide: "Hide the list",
    show: "Show the list",
    noGraphics:
      "This browser cannot draw the map (it has no WebGL). The list beside it works all the same.",
    attribution: "Made with Natural Earth. Cities: GeoNames (CC BY 4.0).",
    cluster: (count: number) => plural(count, "vehicle", "vehicles"),
  },

  devices: {
    title: "Devices",
    search: "Search by name, address or MAC address",
    count: (shown: number, all: number) =>
      shown === all ? plural(all, "device", "devices") : `${shown} of ${plural(all, "device", "devices")}`,
    name: "Name",
    organization: "Organization",
    address: "Address",
    mac: "MAC address",
    state: "State",
    active: "Active",
    inactive: "Deactivated",
    empty: "There are no devices yet.",
    nothingFound: "No device fits.",
  },

  device: {
    facts: "Facts",
    organization: "Organization",
    state: "State",
    managementIp: "Management IP",
    lastIp: "Last IP",
    addresses: "Addresses",
    mac: "MAC address",
    created: "Added",
    notes: "Notes",
    location: "Location",
    onMap: "Show on the map",
    connections: "Connections",
    noConnections: "None: no command can be run. An administrator adds one with fleetwire connection add.",
    works: "Works",
    fails: "Fails",
    untried: "Not tried yet",
    disabled: "Off",
    lastAttempt: "Last attempt",
    hostKey: "Host key remembered",
    noHostKey: "Host key not known yet",
    commands: "Commands",
    noCommands: "No command was run on this device yet.",
    deactivated: "This device is deactivated and takes no commands.",
    polled: (right: Right) => `Looked up every few seconds. To see it live: ${lacking(right)}`,
  },

  command: {
    bar: "Run a command",
    type: "Type",
    run: "Run",
    running: "Sending …",
    placeholder: "uptime",
    history: "Up and down go through what was run before.",
    cancel: "Cancel",
    cancelling: "Cancelling …",
    again: "Run again",
    secret: "Its input holds a secret, which is not kept: enter it again.",
    status: { "in-progress": "Running", success: "Succeeded", failed: "Failed" },
    exit: (code: number) => `exit ${code}`,
    duration: "Duration",
    started: "Asked for",
    by: "by",
    you: "you",
    byCommandLine: "command line",
    confirm: (label: string) => `Really run "${label}" on this device?`,
    nothingAllowed: "The device's organization may use no type of command.",
  },

  output: {
    label: "Output",
    empty: "Nothing printed yet.",
    nothing: "It printed nothing.",
    follow: "Follow",
    pause: "Pause",
    following: "New lines are shown as they come",
    copy: "Copy",
    copied: "Copied",
    download: "Download",
    search: "Search the output",
    matches: (at: number, count: number) => (count === 0 ? "no match" : `${at} of ${count}`),
    next: "Next match",
    previous: "Previous match",
    lines: (count: number) => plural(count, "line", "lines"),
    wrap: "Wrap long lines",
  },

  form: {
    required: "needed",
    optional: "optional",
    yes: "Yes",
    no: "No",
    choose: "Choose …",
    list: "One a line",
    json: "As JSON",
    missing: "This is needed.",
    number: "This is no number.",
    integer: "This is no whole number.",
    tooShort: (least: number) => `At least ${plural(least, "character", "characters")}.`,
    tooLong: (most: number) => `At most ${plural(most, "character", "characters")}.`,
    tooSmall: (least: number) => `At least ${least}.`,
    tooLarge: (most: number) => `At most ${most}.`,
    pattern: (pattern: string) => `It must match ${pattern}.`,
    noJson: "This is no JSON.",
  },

  time: {
    now: "just now",
    seconds: (count: number) => `${count} s ago`,
    minutes: (count: number) => `${count} min ago`,
    hours: (count: number) => `${count} h ago`,
    days: (count: number) => `${plural(count, "day", "days")} ago`,
  },

  many,

  nothing: {
    title: "There is no such page",
    home: "To the map",
  },
};
