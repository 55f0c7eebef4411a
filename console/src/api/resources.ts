// The resources that the console asks for, a function an operation of the REST API.

import { ask, pathOf, Refusal, type Answer, type Page } from "./client";
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

export async function getMe(): Promise<Me> {
  return (await ask<Me>("/api/v1/users/me/")).data;
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

type Question = Parameters<typeof ask>[1];

/** A list of many pages is read again if it changed meanwhile; not for ever. */
const MOST_READINGS = 3;

/**
 * Reads a list to its end. For each reading `begin` answers with what takes a page, and says how many
 * different things have come so far: where one was added or removed meanwhile others are on a page that
 * was read before, and the whole is read again. Answers whether it is whole at last.
 */
export async function readList<T extends { count: number; next: string | null }>(
  path: string,
  question: Question,
  begin: () => (answer: Answer<T>) => number,
): Promise<boolean> {
  for (let reading = 1; reading <= MOST_READINGS; reading += 1) {
    if (await readOnce(path, question, begin())) return true;
  }
  return false;
}

async function readOnce<T extends { count: number; next: string | null }>(
  path: string,
  question: Question,
  take: (answer: Answer<T>) => number,
): Promise<boolean> {
  let next: string | null = path;
  let isWhole = true;
  while (next) {
    let answer: Answer<T>;
    try {
      answer = await ask<T>(next, question);
    } catch (error) {
      // The list has become shorter: its last page is not there any more.
      if (next !== path && error instanceof Refusal && error.status === 404) return false;
      throw error;
    }
    isWhole = take(answer) === answer.data.count;
    next = answer.data.next && pathOf(answer.data.next);
  }
  return isWhole;
}

/** All rows of a list, each once; `show` has those that have come so far, and how many there are. */
export async function readRows<T extends { id: string }>(
  path: string,
  question: Question,
  show: (rows: T[], count: number) => void = () => undefined,
): Promise<T[]> {
  let rows = new Map<string, T>();
  await readList<Page<T>>(path, question, () => {
    const found = new Map<string, T>();
    return ({ data }) => {
      for (const row of data.results) found.set(row.id, row);
      // A second reading takes nothing away before it has as much.
      if (found.size >= rows.size) rows = found;
      show([...rows.values()], data.count);
      return found.size;
    };
  });
  return [...rows.values()];
}

interface Features {
  count: number;
  next: string | null;
  features: LocationFeature[];
}

/** Reads all locations that are mobile, as {@link readList} does. */
export function readMobileLocations(
  signal: AbortSignal,
  begin: () => (answer: Answer<Features>) => number,
): Promise<boolean> {
  const path = `${CONTROLLER}/location/geojson/?is_mobile=true`;
  return readList(path, { signal, right: "geo.view_location" }, begin);
}

export function devices(
  signal: AbortSignal,
  show: (devices: Device[], count: number) => void,
): Promise<Device[]> {
  const path = `${CONTROLLER}/device/?page_size=100`;
  return readRows(path, { signal, right: "config.view_device" }, show);
}

/** All devices at a location. */
export function devicesAt(location: string, signal: AbortSignal): Promise<Device[]> {
  const path = `${CONTROLLER}/location/${location}/device/?page_size=100`;
  return readRows(path, { signal, right: "config.view_device" });
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

export async function command(device: string, id: string): Promise<Command> {
  const path = `${commandsPath(device)}${id}/`;
  return (await ask<Command>(path, { right: "connection.view_command" })).data;
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
