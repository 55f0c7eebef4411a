// What is administered, each kind described once.

import type { Me } from "../api/rights";
import { texts } from "../texts";
import type { KindName } from "../urls";
import { textAt, type Column, type Field, type Kind, type Row } from "./kind";

const words = texts.admin.fields;
const USERS = "/api/v1/users";
const CONTROLLER = "/api/v1/controller";

function column(label: string, name: string): Column {
  return { label, text: (row) => textAt(row, name) };
}

function yesNo(label: string, name: string): Column {
  const { yes, no } = texts.admin;
  return { label, text: (row) => (row[name] === true ? yes : no) };
}

const organizationColumn: Column = {
  label: words.organization,
  text: (row, nameOf) => nameOf("organizations", textAt(row, "organization")) ?? "",
};

const organizationField: Field = {
  name: "organization",
  label: words.organization,
  kind: "one",
  of: "organizations",
  isNeeded: true,
};

function isSuperuser(me: Me): boolean {
  return me.is_superuser;
}

const named = (row: Row) => textAt(row, "name");

const organizations: Kind = {
  name: "organizations",
  model: "openwisp_users.organization",
  path: `${USERS}/organization/`,
  titleOf: named,
  // Tenants come and go by superusers alone.
  may: (me, action) => me.is_superuser || action === "view" || action === "change",
  columns: [
    column(words.name, "name"),
    column(words.slug, "slug"),
    yesNo(words.isActive, "is_active"),
  ],
  fields: [
    { name: "name", label: words.name, kind: "text", isNeeded: true },
    { name: "slug", label: words.slug, kind: "text", hint: words.slugHint, isShown: isSuperuser },
    {
      name: "is_active",
      label: words.isActive,
      kind: "boolean",
      hint: words.organizationActive,
      initial: true,
      isShown: isSuperuser,
    },
    { name: "description", label: words.description, kind: "long" },
    { name: "email", label: words.email, kind: "text" },
    { name: "url", label: words.url, kind: "text" },
  ],
};

const users: Kind = {
  name: "users",
  model: "openwisp_users.user",
  path: `${USERS}/user/`,
  titleOf: (row) => textAt(row, "username"),
  columns: [
    column(words.username, "username"),
    {
      label: words.name,
      text: (row) => `${textAt(row, "first_name")} ${textAt(row, "last_name")}`.trim(),
    },
    {
      label: words.organizations,
      text: ({ organization_users: places }, nameOf) =>
        (places as { organization: string }[])
          .map(({ organization }) => nameOf("organizations", organization) ?? "")
          .join(", "),
    },
    {
      label: words.groups,
      text: ({ groups, is_superuser }, nameOf) => {
        const names = (groups as string[]).map((id) => nameOf("groups", id) ?? "");
        if (is_superuser === true) names.unshift(words.isSuperuser);
        return names.filter(Boolean).join(", ");
      },
    },
    yesNo(words.isActive, "is_active"),
  ],
  fields: [
    {
      name: "username",
      label: words.username,
      kind: "text",
      hint: words.usernameHint,
      isNeeded: true,
      autocomplete: "off",
    },
    { name: "email", label: words.email, kind: "text", isNeeded: true, autocomplete: "off" },
    {
      name: "password",
      label: words.password,
      kind: "secret",
      hint: words.passwordHint,
      isNeeded: true,
      only: "new",
    },
    { name: "first_name", label: words.firstName, kind: "text" },
    { name: "last_name", label: words.lastName, kind: "text" },
    {
      name: "is_active",
      isRight: true,
      label: words.isActive,
      kind: "boolean",
      hint: words.userActive,
      initial: true,
    },
    {
      name: "is_staff",
      isRight: true,
      label: words.isStaff,
      kind: "boolean",
      hint: words.staffHint,
      initial: true,
      isShown: (me) => me.is_staff || me.is_superuser,
    },
    {
      name: "is_superuser",
      isRight: true,
      label: words.isSuperuser,
      kind: "boolean",
      hint: words.superuserHint,
      isShown: isSuperuser,
    },
    {
      name: "expiration_date",
      isRight: true,
      label: words.expires,
      kind: "day",
      hint: words.expiresHint,
    },
    {
      name: "organization_users",
      isRight: true,
      label: words.places,
      kind: "places",
      hint: words.placesHint,
      of: "organizations",
    },
    {
      name: "groups",
      isRight: true,
      label: words.groups,
      kind: "many",
      hint: words.groupsHint,
      of: "groups",
    },
    {
      name: "user_permissions",
      isRight: true,
      label: words.permissions,
      kind: "permissions",
      hint: words.permissionsHint,
    },
  ],
};

const groups: Kind = {
  name: "groups",
  model: "openwisp_users.group",
  path: `${USERS}/group/`,
  titleOf: named,
  columns: [
    column(words.name, "name"),
    {
      label: words.permissions,
      text: ({ permissions }) => String((permissions as string[]).length),
    },
  ],
  fields: [
    { name: "name", label: words.name, kind: "text", isNeeded: true },
    { name: "permissions", label: words.permissions, kind: "permissions", hint: words.gives },
  ],
};

const devices: Kind = {
  name: "devices",
  model: "config.device",
  path: `${CONTROLLER}/device/`,
  titleOf: named,
  columns: [
    column(words.name, "name"),
    organizationColumn,
    {
      label: words.address,
      text: (row) => textAt(row, "management_ip") || textAt(row, "addresses.0"),
    },
    yesNo(words.isActive, "is_active"),
  ],
  fields: [
    { name: "name", label: words.name, kind: "text", isNeeded: true },
    organizationField,
    {
      name: "management_ip",
      label: words.managementIp,
      kind: "text",
      hint: words.managementIpHint,
      isNullable: true,
    },
    { name: "addresses", label: words.addresses, kind: "lines", hint: words.addressesHint },
    { name: "mac_address", label: words.mac, kind: "text", isNullable: true },
    { name: "notes", label: words.notes, kind: "long" },
    {
      name: "is_active",
      label: words.isActive,
      kind: "boolean",
      hint: words.deviceActive,
      initial: true,
    },
    { name: "key", label: words.key, kind: "fact", hint: words.keyHint, only: "old" },
  ],
};

const PASSWORD = "password";
const KEY = "key";

/** Of one that is there nobody is told which it is: either may be set anew. */
function logsInWith(way: string) {
  return (_me: Me, values: Record<string, unknown>) => values["way"] === way;
}

const credentials: Kind = {
  name: "credentials",
  model: "connection.credentials",
  path: `${CONTROLLER}/credential/`,
  titleOf: named,
  columns: [
    column(words.name, "name"),
    organizationColumn,
    column(words.sshUser, "params.username"),
    column(words.port, "params.port"),
  ],
  fields: [
    { name: "name", label: words.name, kind: "text", isNeeded: true },
    { ...organizationField, isFixed: true },
    {
      name: "params.username",
      label: words.sshUser,
      kind: "text",
      isNeeded: true,
      autocomplete: "off",
    },
    { name: "params.port", label: words.port, kind: "number", initial: 22 },
    {
      name: "way",
      label: words.login,
      kind: "choice",
      choices: [
        [PASSWORD, words.withPassword],
        [KEY, words.withKey],
      ],
      initial: PASSWORD,
      isLocal: true,
    },
    {
      name: "params.password",
      label: words.password,
      kind: "secret",
      isShown: logsInWith(PASSWORD),
    },
    {
      name: "params.key",
      label: words.privateKey,
      kind: "long",
      hint: words.privateKeyHint,
      isShown: logsInWith(KEY),
    },
    {
      name: "params.passphrase",
      label: words.passphrase,
      kind: "secret",
      hint: words.passphraseHint,
      isShown: logsInWith(KEY),
    },
    {
      name: "old_algorithms",
      label: words.oldAlgorithms,
      kind: "boolean",
      hint: words.oldAlgorithmsHint,
    },
  ],
};

const locations: Kind = {
  name: "locations",
  model: "geo.location",
  path: `${CONTROLLER}/location/`,
  titleOf: named,
  columns: [
    column(words.name, "name"),
    organizationColumn,
    column(words.address, "address"),
    yesNo(words.isMobile, "is_mobile"),
  ],
  fields: [
    { name: "name", label: words.name, kind: "text", isNeeded: true },
    organizationField,
    {
      name: "type",
      label: words.type,
      kind: "choice",
      choices: [
        ["outdoor", words.outdoor],
        ["indoor", words.indoor],
      ],
      initial: "outdoor",
    },
    { name: "is_mobile", label: words.isMobile, kind: "boolean", hint: words.mobileHint },
    { name: "address", label: words.address, kind: "text" },
    { name: "geometry", label: words.position, kind: "point", hint: words.positionHint },
  ],
};

export const kinds: Record<KindName, Kind> = {
  organizations,
  users,
  groups,
  devices,
  credentials,
  locations,
};
