// Batches, a function an operation of the REST API: one command on many devices.

import { ask, type Answer, type Page } from "./client";
import { readRows } from "./pages";

const BATCHES = "/api/v1/controller/batch-command/";
/** What a page of results holds; it is also the most that the server gives. */
export const RESULTS_A_PAGE = 100;

export type BatchStatus = "in-progress" | "success" | "failed";
export type ResultStatus = "queued" | "in-progress" | "success" | "failed" | "skipped";

export interface Batch {
  id: string;
  type: string;
  input: Record<string, unknown> | null;
  label: string;
  notes: string;
  organization: string | null;
  search: string | null;
  status: BatchStatus;
  created_by: string | null;
  created: string;
  modified: string;
  total: number;
  queued: number;
  running: number;
  success: number;
  failed: number;
  skipped: number;
}

/** What came of a batch on one device. */
export interface Result {
  device: string;
  device_name: string;
  organization: string;
  command: string | null;
  status: ResultStatus;
  exit_code: number | null;
  last_line: string;
  reason: string | null;
}

export interface NewBatch {
  type: string;
  input: Record<string, unknown> | null;
  label: string;
  devices: string[];
}

export async function listBatches(
  page: number,
  filter: { organization: string | null; status: BatchStatus | null },
  signal: AbortSignal,
): Promise<Page<Batch>> {
  const query = new URLSearchParams({ page: String(page), page_size: "25" });
  if (filter.organization) query.set("organization", filter.organization);
  if (filter.status) query.set("status", filter.status);
  const question = { signal, right: "connection.view_command" } as const;
  return (await ask<Page<Batch>>(`${BATCHES}?${query}`, question)).data;
}

export async function getBatch(id: string, signal: AbortSignal): Promise<Batch> {
  const question = { signal, right: "connection.view_command" } as const;
  return (await ask<Batch>(`${BATCHES}${id}/`, question)).data;
}

export function listResults(
  id: string,
  page: { page: number; size?: number; status?: ResultStatus },
  signal: AbortSignal,
): Promise<Answer<Page<Result>>> {
  const size = String(page.size ?? RESULTS_A_PAGE);
  const query = new URLSearchParams({ page: String(page.page), page_size: size });
  if (page.status) query.set("status", page.status);
  const path = `${BATCHES}${id}/device/?${query}`;
  return ask(path, { signal, right: "connection.view_command" });
}

/** Says what a batch would do. */
export async function planBatch(batch: NewBatch): Promise<Result[]> {
  const question = { method: "POST", body: batch, right: "connection.add_command" } as const;
  const { data } = await ask<{ results: Result[] }>(`${BATCHES}?dry_run=true`, question);
  return data.results;
}

export async function createBatch(batch: NewBatch): Promise<Batch> {
  const question = { method: "POST", body: batch, right: "connection.add_command" } as const;
  return (await ask<Batch>(BATCHES, question)).data;
}

export async function cancelBatch(id: string): Promise<Batch> {
  const question = { method: "POST", right: "connection.add_command" } as const;
  return (await ask<Batch>(`${BATCHES}${id}/cancel/`, question)).data;
}

/** All devices on which a batch failed. */
export async function failedDevices(id: string, signal: AbortSignal): Promise<string[]> {
  const path = `${BATCHES}${id}/device/?page_size=${RESULTS_A_PAGE}&status=failed`;
  const question = { signal, right: "connection.view_command" } as const;
  const failed = await readRows(path, question, ({ device }: Result) => device);
  return failed.map((it) => it.device);
}
