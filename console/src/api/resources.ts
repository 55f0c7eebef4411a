// The resources that the console asks for, a function an operation of the REST API.

import { ask, type Answer, type Page } from "./client";
import { readPages, readRows, type Found, type Reader } from "./pages";
import type { Me } from "./rights";
import type { Command } from "../live/commands";
import type { LocationFeature } from "../live/fleet";
import type { Schema } from "../form/schema";

const CONTROLLER = "/api/v1/controller";

export interface Device {
  id: string;
  name: string;
  organization: string;
  mac_address: string | null;
  last_ip: string | null;
  management_ip: string | null;
  notes: string;
  created: string;
  modified: string;
  addresses: string[];
  is_active: boolean;
}

export interface Connection {
  id: string;
  credentials: string;
  enabled: boolean;
  is_working: boolean | null;
  failure_reason: string;
  last_attempt: string | null;
  host_key: string | null;
}

export interface CommandType {
  name: string;
  label: string;
  schema: Schema | null;
  tty: boolean;
  timeout_s: number;
}

export interface DeviceLocation {
  location: {
    id: string;
    geometry: { coordinates: [number, number] } | null;
    properties: { name: string; is_mobile: boolean; address: string };
  } | null;
}

export async function getMe(signal?: AbortSignal): Promise<Me> {
  // Whoever asks this wants to know whether a session is there.
  const question = { waits: false, ...(signal ? { signal } : {}) };
  return (await ask<Me>("/api/v1/users/me/", question)).data;
}

/** Whether the first superuser is still to be made. */
export async function isSetupOpen(): Promise<boolean> {
  return (await ask<{ is_open: boolean }>("/api/v1/setup/")).data.is_open;
}

export async function setUp(first: {
  token: string;
  username: string;
  email: string;
  password: string;
}): Promise<void> {
  await ask("/api/v1/setup/", { method: "POST", body: first });
}

export async function logIn(username: string, password: string): Promise<void> {
  await ask("/accounts/login/", { method: "POST", body: { username, password } });
}

export async function logOut(): Promise<void> {
  await ask("/accounts/logout/", { method: "POST" });
}

interface Features {
  count: number;
  next: string | null;
  features: LocationFeature[];
}

/** Reads all locations that are mobile; answers whether the list came to rest. */
export function readMobileLocations(
  signal: AbortSignal,
  begin: () => Reader<Features>,
): Promise<boolean> {
  const path = `${CONTROLLER}/location/geojson/?is_mobile=true`;
  return readPages(path, { signal, right: "geo.view_location" }, begin);
}

/** All devices; `hear` is told of each page. */
export function readDevices(
  signal: AbortSignal,
  hear: (found: () => Found<Device>) => void,
): Promise<Device[]> {
  const path = `${CONTROLLER}/device/?page_size=100`;
  return readRows(path, { signal, right: "config.view_device" }, ({ id }: Device) => id, hear);
}

/** All devices at a location. */
export function devicesAt(
  location: string,
  signal: AbortSignal,
): Promise<Pick<Device, "id" | "name">[]> {
  const path = `${CONTROLLER}/location/${location}/device/?page_size=100`;
  const question = { signal, right: "config.view_device" } as const;
  return readRows(path, question, ({ id }: Pick<Device, "id" | "name">) => id);
}

export async function device(id: string, signal: AbortSignal): Promise<Device> {
  const path = `${CONTROLLER}/device/${id}/`;
  return (await ask<Device>(path, { signal, right: "config.view_device" })).data;
}

export async function deviceLocation(id: string, signal: AbortSignal): Promise<DeviceLocation> {
  const path = `${CONTROLLER}/device/${id}/location/`;
  return (await ask<DeviceLocation>(path, { signal, right: "geo.view_devicelocation" })).data;
}

export async function connections(id: string, signal: AbortSignal): Promise<Connection[]> {
  const path = `${CONTROLLER}/device/${id}/connection/?page_size=100`;
  const right = "connection.view_deviceconnection";
  return (await ask<Page<Connection>>(path, { signal, right })).data.results;
}

export async function commandTypes(id: string, signal: AbortSignal): Promise<CommandType[]> {
  const path = `${CONTROLLER}/device/${id}/command-type/`;
  return (await ask<CommandType[]>(path, { signal, right: "connection.add_command" })).data;
}

function commandsPath(device: string): string {
  return `${CONTROLLER}/device/${device}/command/`;
}

export function lastCommands(device: string, signal: AbortSignal): Promise<Answer<Page<Command>>> {
  const path = `${commandsPath(device)}?page_size=20`;
  return ask(path, { signal, right: "connection.view_command" });
}

export async function command(device: string, id: string, signal?: AbortSignal): Promise<Command> {
  const path = `${commandsPath(device)}${id}/`;
  const question = { right: "connection.view_command", ...(signal ? { signal } : {}) } as const;
  return (await ask<Command>(path, question)).data;
}

export async function runCommand(
  device: string,
  type: string,
  input: Record<string, unknown> | null,
): Promise<Command> {
  const body = { type, input };
  const question = { method: "POST", body, right: "connection.add_command" } as const;
  return (await ask<Command>(commandsPath(device), question)).data;
}

export async function cancelCommand(device: string, id: string): Promise<Command> {
  const question = { method: "POST", right: "connection.add_command" } as const;
  return (await ask<Command>(`${commandsPath(device)}${id}/cancel/`, question)).data;
}
