// What is needed to choose devices and a command for them.

import { failedDevices, getBatch, type Batch } from "../api/batches";
import { Refusal } from "../api/client";
import { commandTypes, devicesAt, readDevices, readMobileLocations, type CommandType, type Device } from "../api/resources";
import { byName } from "../many/order";
import { isIn, type Area } from "../map/area";
import { reasonOf } from "../reason";

/** So many locations are asked at once for their devices: as many as a browser lets through anyway. */
const AT_ONCE = 6;
/** Whoever may use which types is asked for so many organizations. */
const MOST_ORGANIZATIONS = 25;
/** The list is put in order for each of the first pages, and then from time to time. */
const PAGES_A_SHOW = 10;

export class RunState {
  #devices = $state.raw<Device[]>([]);
  #total = $state<number>();
  #isLoaded = $state(false);
  #wrong = $state("");
  #among = $state.raw<ReadonlySet<string> | null>(null);
  #locating = $state.raw<{ done: number; all: number } | null>(null);
  #types = $state.raw<CommandType[]>([]);
  #asked = $state(0);
  #again = $state.raw<Batch>();
  #failed = $state.raw<ReadonlySet<string>>(new Set());
  /** Of the devices that are chosen at the moment. */
  #organizations: string[] = [];
  readonly #typesOf = new Map<string, CommandType[]>();
  readonly #ends = new AbortController();
  #locates: AbortController | null = null;

  /** By name, as people count: 2 before 10. */
  get devices(): Device[] {
    return this.#devices;
  }

  /** How many there are; not known at first. */
  get total(): number | undefined {
    return this.#total;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  get wrong(): string {
    return this.#wrong;
  }

  /** The devices in the rectangle; null while there is none. */
  get among(): ReadonlySet<string> | null {
    return this.#among;
  }

  /** How far the look-up of who is in the rectangle is; null when it is done. */
  get locating(): { done: number; all: number } | null {
    return this.#locating;
  }

  /** What the organizations of the chosen devices may use. */
  get types(): CommandType[] {
    return this.#types;
  }

  /** Whether what may be used is being asked. */
  get isAskingTypes(): boolean {
    return this.#asked > 0;
  }

  /** The batch that is run again. */
  get again(): Batch | undefined {
    return this.#again;
  }

  /** The devices on which that failed. */
  get failed(): ReadonlySet<string> {
    return this.#failed;
  }

  start(again: string | null): void {
    this.#wrong = "";
    void this.#guard(() => this.#loadDevices());
    if (again) void this.#guard(() => this.#loadAgain(again));
  }

  stop(): void {
    this.#ends.abort();
    this.#locates?.abort();
  }

  /** Looks up who is in the rectangle now, at locations whose names have `named` in them. */
  locate(area: Area | null, named: string): void {
    this.#locates?.abort();
    this.#locates = null;
    this.#among = area && new Set();
    this.#locating = null;
    if (!area) return;
    const locates = new AbortController();
    this.#locates = locates;
    void this.#guard(() => this.#locate(area, named, locates.signal), locates.signal);
  }

  /** Asks what may be run on these, an organization once; one that gave no answer again. */
  wantTypes(devices: Device[]): void {
    const samples = new Map<string, Device>();
    for (const device of devices) {
      if (!samples.has(device.organization)) samples.set(device.organization, device);
      if (samples.size === MOST_ORGANIZATIONS) break;
    }
    this.#organizations = [...samples.keys()];
    this.#joinTypes();
    for (const [organization, device] of samples) {
      if (this.#typesOf.has(organization)) continue;
      this.#typesOf.set(organization, []);
      this.#asked += 1;
      void this.#guard(async () => {
        this.#typesOf.set(organization, await this.#typesOn(device.id, organization));
        this.#joinTypes();
      }).finally(() => (this.#asked -= 1));
    }
  }

  async #typesOn(device: string, organization: string): Promise<CommandType[]> {
    try {
      return await commandTypes(device, this.#ends.signal);
    } catch (error) {
      this.#typesOf.delete(organization);
      throw error;
    }
  }

  /** What one of them may use is offered: on the devices of others it is left out, and said so. */
  #joinTypes(): void {
    const joined = new Map<string, CommandType>();
    for (const organization of this.#organizations) {
      for (const type of this.#typesOf.get(organization) ?? []) joined.set(type.name, type);
    }
    const isSame = this.#types.length === joined.size && this.#types.every((it) => joined.has(it.name));
    if (!isSame) this.#types = [...joined.values()];
  }

  async #guard(work: () => Promise<void>, signal = this.#ends.signal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) this.#wrong ||= reasonOf(error);
      if (!(error instanceof Refusal) && !signal.aborted) throw error;
    }
  }

  async #loadDevices(): Promise<void> {
    const rows = await readDevices(this.#ends.signal, (found) => {
      const { rows, count, pages } = found();
      this.#total = count;
      if (pages === 1 || pages % PAGES_A_SHOW === 0) this.#show(rows);
    });
    this.#show(rows);
    this.#total = rows.length;
    this.#isLoaded = true;
  }

  #show(rows: Device[]): void {
    this.#devices = byName(rows);
  }

  async #loadAgain(id: string): Promise<void> {
    const { signal } = this.#ends;
    this.#again = await getBatch(id, signal);
    this.#failed = new Set(await failedDevices(id, signal));
  }

  async #locate(area: Area, named: string, signal: AbortSignal): Promise<void> {
    // Of all readings: rather one too many to ask for than one that is left out silently.
    const places = new Set<string>();
    const wanted = named.trim().toLocaleLowerCase();
    this.#locating = { done: 0, all: 0 };
    await readMobileLocations(signal, () => {
      const read = new Set<string>();
      return {
        take: ({ data }) => {
          for (const { id, geometry, properties } of data.features) {
            read.add(id);
            const isNamed = properties.name.toLocaleLowerCase().includes(wanted);
            if (isNamed && isIn(area, ...geometry.coordinates)) places.add(id);
          }
        },
        size: () => read.size,
      };
    });
    this.#locating = { done: 0, all: places.size };
    const found = new Set<string>();
    let done = 0;
    const waiting = places.values();
    const ask = async () => {
      for (const place of waiting) {
        for (const { id } of await devicesAt(place, signal)) found.add(id);
        done += 1;
        if (done % 20 === 0) this.#locating = { done, all: places.size };
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
    this.#among = found;
    this.#locating = null;
  }
}
