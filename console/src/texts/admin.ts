// Administration.

import type { KindName } from "../urls";

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

export const admin = {
  title: "Administration",
  kinds,
  search: (title: string) => `Search ${title.toLowerCase()}`,
  count: (shown: number, all: number) =>
    shown === all ? `${all.toLocaleString("en")} in all` : `${shown} of ${all.toLocaleString("en")}`,
  nothingFound: "Nothing fits.",
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
  unsaved: "Some of it was not accepted: see the reasons below.",
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
