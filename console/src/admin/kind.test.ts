import { describe, expect, test } from "vitest";

import type { Me } from "../api/rights";
import { begin, bodyOf, fieldsFor, mayAdminister, mayDo, missing, type Row } from "./kind";
import { kinds } from "./kinds";

const ME: Me = {
  id: "",
  username: "ada",
  first_name: "",
  last_name: "",
  is_staff: true,
  is_superuser: false,
  permissions: [],
  organizations: [],
};
const ROOT = { ...ME, is_superuser: true };

const device: Row = {
  id: "1",
  name: "bus-1",
  organization: "o",
  mac_address: null,
  management_ip: "10.0.0.1",
  addresses: ["a:22", "b"],
  notes: "",
  is_active: true,
  key: "k",
};

describe("what is sent", () => {
  const fields = fieldsFor(kinds.devices, ROOT, device, {});

  test("of what is there is what was changed, and nothing else", () => {
    const values = begin(fields, device);
    expect(bodyOf(fields, values, device)).toEqual({});
    const changed = { ...values, management_ip: "", addresses: " c \n\nd:2222", is_active: false };
    expect(bodyOf(fields, changed, device)).toEqual({
      management_ip: null,
      addresses: ["c", "d:2222"],
      is_active: false,
    });
  });

  test("of a new one is what was entered, within the objects where it belongs", () => {
    const { credentials } = kinds;
    const values = begin(credentials.fields, null);
    const entered = { ...values, name: "login", organization: "o", "params.username": "root" };
    const secret = { ...entered, "params.password": "s" };
    const shown = fieldsFor(credentials, ROOT, null, secret);
    expect(bodyOf(shown, secret, null)).toEqual({
      name: "login",
      organization: "o",
      params: { username: "root", port: 22, password: "s" },
      old_algorithms: false,
    });
    expect(shown.some(({ name }) => name === "params.key")).toBe(false);
  });

  test("a secret that was left empty is not sent, and what is fixed is not either", () => {
    const row: Row = { id: "1", name: "login", organization: "o", params: { username: "u", port: 2 } };
    const shown = fieldsFor(kinds.credentials, ROOT, row, { way: "password" });
    const values = begin(kinds.credentials.fields, row);
    expect(bodyOf(shown, { ...values, organization: "p", "params.port": "3" }, row)).toEqual({
      params: { port: 3 },
    });
  });

  test("a point is GeoJSON, longitude first", () => {
    const row: Row = { id: "1", geometry: { type: "Point", coordinates: [12.5, 41.9] } };
    const { fields } = kinds.locations;
    const values = begin(fields, row);
    expect(values["geometry"]).toEqual([12.5, 41.9]);
    expect(bodyOf(fields, { ...values, geometry: [1, 2] }, row)).toEqual({
      geometry: { type: "Point", coordinates: [1, 2] },
    });
    expect(bodyOf(fields, { ...values, geometry: null }, row)).toEqual({ geometry: null });
  });
});

describe("what is missing", () => {
  test("only what is needed is asked for here", () => {
    const { fields } = kinds.devices;
    expect(Object.keys(missing(fields, begin(fields, null), null))).toEqual(["name", "organization"]);
  });
});

describe("who may", () => {
  test("tenants come and go by superusers alone", () => {
    const permissions = ["openwisp_users.add_organization", "openwisp_users.change_organization"];
    const manager = { ...ME, permissions };
    expect(mayDo(manager, kinds.organizations, "add")).toBe(false);
    expect(mayDo(manager, kinds.organizations, "change")).toBe(true);
    expect(mayDo(ROOT, kinds.organizations, "add")).toBe(true);
  });

  test("who only sees something has nothing to administer", () => {
    expect(mayAdminister({ ...ME, permissions: ["geo.view_location"] }, kinds.locations)).toBe(false);
    expect(mayAdminister({ ...ME, permissions: ["geo.change_location"] }, kinds.locations)).toBe(true);
  });

  test("only superusers see how one is made", () => {
    const shown = (me: Me) => fieldsFor(kinds.users, me, null, {}).map(({ name }) => name);
    expect(shown(ROOT)).toContain("is_superuser");
    expect(shown(ME)).not.toContain("is_superuser");
  });
});
