// Every text of the console, in English: what a page says, how it counts, and what a screen reader is told. What comes
// from the server (names, reasons, output) is shown as it is. A translation is another file like this one.
//
// First comes what all pages share, then a part a page, in the order of the navigation.

import type { Action, Model, Right } from "./api/rights";
import type { KindName } from "./urls";

/** Of these texts (BCP 47). Numbers are written and names are put in order by it. */
export const language = "en";

/** A number as people write it. */
export function number(count: number): string {
  return count.toLocaleString(language);
}

/** A number with its noun. */
function plural(count: number, one: string, many: string): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

const devicesOf = (count: number) => plural(count, "device", "devices");

/** What there is of the page before any script runs: `index.html` gets it when it is built. */
const start = {
  title: "fleetwire",
  description: "Where the fleet is, and what runs on it",
  noScript: "The console needs JavaScript. The REST API does not: see /api/v1/docs/.",
};

// What all pages share.

const navigation = { label: "Pages", map: "Map", devices: "Devices", batches: "Batches", admin: "Administration" };

const account = {
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
};

const connection = {
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
  ended: "Logged out",
  polling: "Every few seconds",
  seconds: (seconds: number) => `${seconds} s`,
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
};

const verbs: Record<Action, string> = {
  view: "see",
  add: "add",
  change: "change",
  delete: "remove",
};

const things: Record<Model, string> = {
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

/** Where a right is not its verb and its thing. */
const special: Partial<Record<Right, string>> = { "connection.add_command": "run commands" };

const refusal = {
  /** `words` is a verb and a thing, `right` the name that an administrator needs. */
  lacksRight: (words: string, right: Right) => `It takes the right to ${words} (${right}).`,
  lacksStaff: "It takes a user who is a member of staff.",
  forbidden: (lacking: string) => `You may not do this. ${lacking} Ask your administrator for it.`,
  signedOut: "Your session had ended, and this was not done. What you entered is still here: do it again.",
  gone: "This is not there, or it is not yours to see.",
  unreachable: "The server does not answer. Is the network there?",
  unavailable: "The server cannot answer at the moment. It usually can again in a few seconds.",
  unknown: (status: number) => `That did not work (HTTP ${status}).`,
};

const form = {
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
};

const time = {
  now: "just now",
  seconds: (count: number) => `${count} s ago`,
  minutes: (count: number) => `${count} min ago`,
  hours: (count: number) => `${count} h ago`,
  days: (count: number) => `${plural(count, "day", "days")} ago`,

  /** How long something took: `4.2` seconds, `3:07` minutes, `1:30` hours. */
  inSeconds: (count: string) => `${count} s`,
  inMinutes: (count: string) => `${count} min`,
  inHours: (count: string) => `${count} h`,
};

// Before anybody is logged in.

const setup = {
  title: "First start",
  lead: "Nobody can log in yet. Make the first superuser, who may do everything and makes all others.",
  token: "Token",
  tokenHint: "The server printed it in its log when it started. So nobody else can be the first.",
  username: "User name",
  email: "E-mail address",
  password: "Password",
  passwordHint: "At least 8 characters, not digits alone.",
  repeated: "Password again",
  differs: "The two passwords differ.",
  submit: "Make the superuser and log in",
  busy: "Being made …",
  over: "Somebody has been the first meanwhile. Log in.",
};

const login = {
  title: "Log in",
  lead: "Where your fleet is, and what runs on it.",
  username: "User name or e-mail address",
  password: "Password",
  show: "Show the password",
  submit: "Log in",
  busy: "Logging in …",
  expired: "Your session has ended. Log in again, and you go on where you were, with what you entered.",
  wrong: "This user name and password do not go together.",
  throttled: (seconds: number) =>
    `Too many attempts. Try again in ${plural(Math.ceil(seconds / 60), "minute", "minutes")}.`,
  foreign:
    "The server takes this page for one from elsewhere. Behind a proxy, see server.trusted_proxies.",
  unreachable: "The server does not answer.",
};

// The map.

const map = {
  title: "Map",
  label: "Map of the fleet",
  panel: "Vehicles",
  search: "Search vehicles",
  organization: "Organization",
  all: "All organizations",
  unknownOrganization: "…",
  count: (shown: number, all: number) =>
    shown === all ? plural(all, "vehicle", "vehicles") : `${number(shown)} of ${plural(all, "vehicle", "vehicles")}`,
  /** Written on the map for vehicles that are too close to each other. */
  together: (count: number) => (count < 10_000 ? String(count) : `${Math.round(count / 1000)}k`),
  stale: (count: number) => `${number(count)} silent`,
  empty: "No vehicle has reported yet. A device reports where it is with PUT coordinates/.",
  nothingFound: "No vehicle is called that.",
  follow: "Follow",
  unfollow: "Stop following",
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

// Devices, and what runs on one.

const devices = {
  title: "Devices",
  search: "Search by name, address or MAC address",
  count: (shown: number, all: number) =>
    shown === all ? devicesOf(all) : `${number(shown)} of ${devicesOf(all)}`,
  name: "Name",
  organization: "Organization",
  address: "Address",
  mac: "MAC address",
  state: "State",
  active: "Active",
  inactive: "Deactivated",
  empty: "There are no devices yet.",
  nothingFound: "No device fits.",
};

const device = {
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
  noConnections: "None: no command can be run. An administrator adds one.",
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
  polled: (lacking: string) => `Looked up every few seconds. To see it live: ${lacking}`,
};

const command = {
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
  by: (who: string) => `by ${who}`,
  you: "you",
  confirm: (label: string) => `Really run "${label}" on this device?`,
  notAllowed: (type: string) => `The device's organization may not use "${type}" any more.`,
  nothingAllowed: "The device's organization may use no type of command.",
};

const output = {
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
};

// One command on many devices.

const batches = {
  title: "Batches",
  lead: "One command on many devices.",
  begin: "Run on many",
  empty: "No command was run on many devices yet.",
  nothingFound: "No batch fits.",
  more: "Show older ones",
  allStatuses: "All states",
  state: "State",
  count: (count: number) => plural(count, "batch", "batches"),
};

const run = {
  title: "Run on many",
  devices: "1. Devices",
  search: "Search by name, address or MAC address",
  onMap: "Choose on the map",
  inArea: "In the map's rectangle",
  noArea: "Leave the rectangle",
  readingArea: (done: number, all: number) => `Looking up who is there: ${done} of ${all} …`,
  allThatFit: (count: number) =>
    count === 0 ? "All that fit" : `All that fit (${number(count)})`,
  chosen: (count: number) => (count === 0 ? "None chosen" : `${devicesOf(count)} chosen`),
  hidden: (count: number) => `${number(count)} of them not shown`,
  clear: "Choose none",
  loading: (count: number, all: number | undefined) =>
    all === undefined ? "Loading …" : `Loading ${number(count)} of ${devicesOf(all)} …`,
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
      : `${devicesOf(count)} are not there any more, or not yours to see.`,
  without: "Go on without them",
  unsure:
    "The server did not answer: it may have begun all the same. Look at the batches before you run it again.",

  plan: {
    title: (what: string) => `Run ${what}?`,
    runs: (count: number) => `It runs on ${devicesOf(count)}.`,
    runsOnNone: "It runs on no device.",
    leftOut: (count: number) => `${devicesOf(count)} ${count === 1 ? "is" : "are"} left out:`,
    andMore: (count: number) => `and ${number(count)} more`,
    run: (count: number) => `Run on ${devicesOf(count)}`,
    running: "Sending …",
    back: "Back",
  },
};

const batch = {
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
  done: (ended: number, all: number) => `${number(ended)} of ${devicesOf(all)} finished`,
  failed: (count: number) => `${number(count)} failed`,
  search: "Search devices",
  results: "Results",
  cancel: "Cancel the rest",
  cancelling: "Cancelling …",
  cancelled: "What waited has ended, what runs is being ended.",
  wasOver: "All had ended already.",
  again: (count: number) => `Run again on the ${number(count)} that failed`,
  csv: "CSV",
  saveCsv: "Download CSV",
  json: "JSON",
  saveJson: "Download JSON",
  nothingFound: "No device fits.",
  reading: (count: number, all: number) =>
    `Loading ${number(count)} of ${number(all)} results …`,
  over: (success: number, failed: number) =>
    `The batch is over: ${number(success)} succeeded, ${number(failed)} failed.`,
};

// Administration.

interface Words {
  title: string;
  one: string;
  add: string;
  empty: string;
  /** What goes with it when it is removed. */
  removed: string;
}

const kinds: Record<KindName, Words> = {
  organizations: {
    title: "Organizations",
    one: "Organization",
    add: "Add an organization",
    empty: "There are no organizations yet. Everything belongs to one: begin here.",
    removed: "Its devices, locations and credentials, and all commands that ran on them, go with it.",
  },
  users: {
    title: "Users",
    one: "User",
    add: "Add a user",
    empty: "There are no users whom you may see.",
    removed: "Sessions and tokens end at once.",
  },
  groups: {
    title: "Groups",
    one: "Group",
    add: "Add a group",
    empty: "There are no groups.",
    removed: "Its users lose the rights that only it gave them.",
  },
  devices: {
    title: "Devices",
    one: "Device",
    add: "Add a device",
    empty: "There are no devices yet.",
    removed: "Its connections and its commands go with it.",
  },
  credentials: {
    title: "Credentials",
    one: "Credential",
    add: "Add a credential",
    empty: "There are no credentials yet. Commands take one: with it devices are logged in to over SSH.",
    removed: "Devices that are connected with it lose that connection.",
  },
  locations: {
    title: "Locations",
    one: "Location",
    add: "Add a location",
    empty: "There are no locations yet. A device that reports where it is gets one by itself.",
    removed: "The devices there are nowhere then, until they report.",
  },
};

const admin = {
  title: "Administration",
  kinds,
  search: (title: string) => `Search ${title.toLowerCase()}`,
  count: (shown: number, all: number) =>
    shown === all ? `${number(all)} in all` : `${number(shown)} of ${number(all)}`,
  nothingFound: "Nothing fits.",
  noneYet: "There are none yet.",
  page: (at: number, count: number) => `Page ${at} of ${count}`,
  pages: "Pages of the list",
  previous: "Previous page",
  next: "Next page",
  nothingToDo: "There is nothing here that you may administer.",

  save: "Save",
  saving: "Saving …",
  saved: "Saved.",
  make: "Add",
  remove: "Remove",
  keep: "Keep it",
  unsaved: "Some of it was not accepted: see the reasons at the fields.",
  sure: (name: string) => `Remove “${name}” for good?`,
  unchanged: "There is nothing to save: nothing was changed.",
  readOnly: "You may see this, but not change it.",
  kept: "kept as it is",
  choose: "Choose …",
  yes: "Yes",
  no: "No",

  fields: {
    name: "Name",
    organization: "Organization",
    slug: "Slug",
    slugHint: "What it is found by in filters. Made of the name when it is left empty.",
    isActive: "Active",
    organizationActive: "One that is not counts for nothing: nobody sees it, its devices report in vain.",
    description: "Description",
    email: "E-mail address",
    url: "Web page",

    username: "User name",
    usernameHint: "To log in with.",
    firstName: "First name",
    lastName: "Last name",
    password: "Password",
    passwordHint: "At least 8 characters, not digits alone.",
    userActive: "One who is not cannot log in. Open pages close within seconds.",
    isStaff: "Staff",
    staffHint: "May watch live. Without it nothing moves on the map.",
    isSuperuser: "Superuser",
    superuserHint: "May do everything, in all organizations.",
    expires: "Ends on",
    expiresHint: "From this day on (UTC) the user counts for nothing. Empty: never.",
    groups: "Groups",
    groupsHint: "What most users get their rights from.",
    places: "Organizations",
    placesHint: "A manager sees and does there what the rights allow; a member is only known there.",
    permissions: "Rights",
    permissionsHint: "Beside those that the groups give.",
    gives: "What its users may do, in the organizations that they manage.",
    organizations: "Organizations",

    managementIp: "Management address",
    managementIpHint: "An IP address, at which commands try it first.",
    addresses: "Other addresses",
    addressesHint: "One a line, each with a port if need be: router.example.org, 10.0.0.17:2222.",
    mac: "MAC address",
    notes: "Notes",
    deviceActive: "One that is not takes no commands.",
    key: "Key",
    keyHint: "With it the device reports where it is.",
    address: "Address",

    login: "Logs in with",
    withPassword: "a password",
    withKey: "a private key",
    sshUser: "User name on the device",
    port: "SSH port",
    privateKey: "Private key",
    privateKeyHint: "In OpenSSH's form or PEM.",
    passphrase: "Passphrase",
    passphraseHint: "Of a key that is encrypted.",
    oldAlgorithms: "Old algorithms",
    oldAlgorithmsHint: "Allows what only old SSH servers need (SHA-1, CBC, ssh-rsa).",

    type: "Type",
    outdoor: "Outdoor",
    indoor: "Indoor",
    isMobile: "Mobile",
    mobileHint: "One that moves is shown on the live map.",
    position: "Position",
    positionHint: "Click the map, drag the point or move it with the arrow keys, or enter degrees (WGS 84).",
    latitude: "Latitude",
    longitude: "Longitude",
    noPoint: "Take the point away",
    pointMap: "Map to place the point on",
    point: "The point",
  },

  places: { none: "not in it", member: "member", manager: "manager" },

  password: {
    title: "Password",
    current: "Your present password",
    new: "New password",
    repeated: "New password again",
    set: "Set the password",
    done: "The password is set. What the old one had opened has ended.",
  },

  connections: {
    title: "Connections",
    lead: "What commands log in to the device with, tried in this order.",
    none: "None yet: no command can be run.",
    credential: "Credential",
    add: "Connect",
    enable: "Use it",
    disable: "Do not use it",
    forget: "Forget the host key",
    noCredentials: "The device's organization has no credentials yet.",
    makeOne: "Add a credential",
    removeNamed: (name: string) => `Remove ${name}`,
  },

  there: {
    title: "Devices here",
    none: "No device is at this location.",
    device: "Device",
    add: "Put here",
    takeAway: (name: string) => `Remove ${name} from here`,
  },

  whereabouts: {
    title: "Location",
    lead: "A device that reports where it is gets one by itself.",
    none: "It is nowhere: no map shows it.",
    location: "A location of the organization",
    put: "Put it there",
    move: "Move it there",
    open: "Open the location",
    takeAway: (name: string) => `Remove the device from ${name}`,
    make: "Put it on a map",
    putThere: "Put it on the map",
    leave: "Leave it",
  },

  open: "Open its page",
  edit: "Edit",
};

const nothing = {
  title: "There is no such page",
  home: "To the map",
};

export const texts = {
  name: start.title,
  skip: "Skip to the content",
  loading: "Loading …",
  again: "Try again",
  notFetched: "This page could not be fetched. The network may be away, or the server is of a newer version.",
  reload: "Load anew",
  close: "Close",
  back: "Back",

  start,
  navigation,
  account,
  connection,
  rights: { verbs, things, special },
  refusal,
  form,
  time,
  setup,
  login,
  map,
  devices,
  device,
  command,
  output,
  batches,
  run,
  batch,
  admin,
  nothing,
};
