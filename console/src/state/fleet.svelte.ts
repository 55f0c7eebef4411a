// The fleet as the map's page shows it: what the feed brings, and what search and filter leave.

import { ask } from "../api/client";
import { lacksForFleet, may, type Me } from "../api/rights";
import { Channel, type ChannelState, type Final } from "../live/channel";
import { Fleet, type Change, type Place } from "../live/fleet";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { Motion } from "../map/motion";
import type { Vehicle } from "../map/overlay";
import { byName } from "../many/order";
import { fleetFeed, refusedWhereFinal } from "./feeds";
import { listFleet } from "./fleetList";
import { live } from "./live.svelte";
import { pollFor } from "./polling";
import { session } from "./session.svelte";

/** The list beside the map is put in order at most that often. */
const ORDER_MS = 400;
/** New names, removals and organizations are not pushed: they are looked up. */
const LOOK_MS = 120_000;
/** Where nothing is pushed, everything is. */
const POLL_MS = 10_000;

export class FleetState {
  readonly vehicles = new Map<string, Vehicle>();
  #fleet = new Fleet((change) => this.#take(change));
  #listed = $state.raw<Place[]>([]);
  #all = $state(0);
  #isLoaded = $state(false);
  #refused = $state<Final | null>(null);
  #search = "";
  #organization: string | null = null;
  #ordering: ReturnType<typeof setTimeout> | undefined;
  #ends = new AbortController();
  #asked = new Set<string>();

  /** `drawn` is called when something is to be drawn anew. */
  constructor(
    private readonly isSmooth: () => boolean,
    private readonly drawn: () => void,
  ) {}

  /** What search and filter leave, by name. */
  get listed(): Place[] {
    return this.#listed;
  }

  /** How many there are at all. */
  get all(): number {
    return this.#all;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  get(id: string): Place | undefined {
    return this.#fleet.get(id);
  }

  /** Why it may not be seen, if so. */
  get refused(): Final | null {
    return this.#refused;
  }

  start(me: Me): void {
    if (lacksForFleet(me) === null) this.#watch();
    else if (may(me, "geo.view_location")) this.#poll();
  }

  #watch(): void {
    const { signal } = this.#ends;
    const world = browserWorld("/healthz");
    const channel: Channel = new Channel(world, fleetFeed(this.#fleet), (state) => {
      live.tell(channel, state);
      this.#tell(state);
    });
    let isDue = false;
    const look = async (signal: AbortSignal, heard: () => void): Promise<Pace> => {
      isDue = channel.state.is !== "live" || document.hidden;
      // An organization may be gone of which nothing else tells.
      if (!isDue) await Promise.all([session.refresh(), this.#list(signal, heard)]);
      return "soon";
    };
    // What it is refused is told by the channel.
    const looks = new Poller(world, look, () => undefined, LOOK_MS);
    const forget = world.onChange(() => {
      if (isDue && !document.hidden) looks.retry();
    });
    const detach = live.attach(channel);
    signal.addEventListener("abort", () => {
      forget();
      looks.stop();
      channel.stop();
      detach();
    });
    channel.start();
    looks.start();
  }

  /** For who may see the list and not listen. */
  #poll(): void {
    const look = async (signal: AbortSignal, heard: () => void): Promise<Pace> => {
      if (this.#isLoaded && document.hidden) return "soon";
      await this.#list(signal, heard);
      return "soon";
    };
    pollFor(look, (state) => this.#tell(state), POLL_MS, this.#ends.signal);
  }

  #tell(state: ChannelState): void {
    this.#refused = state.is === "refused" ? state.verdict : null;
    if (state.is === "live") this.#loaded();
  }

  async #list(signal: AbortSignal, heard: () => void): Promise<void> {
    await refusedWhereFinal(() => listFleet(this.#fleet, signal, { heard, isConnect: false }));
    this.#loaded();
  }

  stop(): void {
    this.#ends.abort();
    clearTimeout(this.#ordering);
  }

  filter(search: string, organization: string | null): void {
    this.#search = search.trim().toLocaleLowerCase();
    this.#organization = organization;
    for (const place of this.#fleet.all()) {
      const vehicle = this.vehicles.get(place.id);
      if (vehicle) vehicle.isShown = this.#fits(place);
    }
    this.#order();
    this.drawn();
  }

  #loaded(): void {
    this.#order();
    this.#isLoaded = true;
  }

  #fits(place: Place): boolean {
    if (this.#organization !== null && place.organization !== this.#organization) return false;
    return !this.#search || place.name.toLocaleLowerCase().includes(this.#search);
  }

  #take(change: Change): void {
    if (change.is === "gone") {
      this.vehicles.delete(change.id);
    } else {
      const { place, isOther } = change;
      const known = this.vehicles.get(place.id);
      if (known) {
        if (isOther) {
          known.name = place.name;
          known.isShown = this.#fits(place);
          this.#orderSoon();
        }
        known.heardAt = place.heardAt;
        known.motion.report(place.longitude, place.latitude, performance.now(), this.isSmooth());
        this.drawn();
        return;
      }
      const motion = new Motion(place.longitude, place.latitude);
      const { id, name, heardAt } = place;
      this.vehicles.set(id, { id, name, motion, heardAt, isShown: this.#fits(place) });
      if (place.organization === null) void this.#introduce(id);
    }
    this.drawn();
    this.#orderSoon();
  }

  /** The socket does not say whose a new one is. */
  async #introduce(id: string): Promise<void> {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    try {
      const path = `/api/v1/controller/location/${id}/`;
      const { data } = await ask<{ organization: string }>(path, { signal: this.#ends.signal });
      this.#fleet.introduce(id, data.organization);
    } catch {
      // The next list says it.
    } finally {
      this.#asked.delete(id);
    }
  }

  #orderSoon(): void {
    if (this.#ordering !== undefined) return;
    this.#ordering = setTimeout(() => this.#order(), ORDER_MS);
  }

  #order(): void {
    clearTimeout(this.#ordering);
    this.#ordering = undefined;
    this.#listed = byName([...this.#fleet.all()].filter((place) => this.#fits(place)));
    this.#all = this.#fleet.size;
  }
}
