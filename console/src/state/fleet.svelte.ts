// The fleet as the map's page shows it: what the feed brings, and what search and filter leave.

import { ask, Refusal } from "../api/client";
import { lacksForFleet, may, type Me } from "../api/rights";
import { Channel } from "../live/channel";
import { Fleet, type Change, type Place } from "../live/fleet";
import { browserWorld } from "../live/world";
import { Motion } from "../map/motion";
import type { Vehicle } from "../map/overlay";
import { fleetFeed, listFleet } from "./feeds";
import { live } from "./live.svelte";

/** The list beside the map is put in order at most that often. */
const ORDER_MS = 400;
/** New names, removals and organizations are not pushed: they are looked up. */
const LOOK_MS = 120_000;
/** For who may see the list and not listen. */
const POLL_MS = 10_000;

export class FleetState {
  readonly vehicles = new Map<string, Vehicle>();
  #fleet = new Fleet((change) => this.#take(change));
  #channel: Channel | null = null;
  #listed = $state.raw<Place[]>([]);
  #all = $state(0);
  #isLoaded = $state(false);
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

  start(me: Me): void {
    const { signal } = this.#ends;
    if (lacksForFleet(me) === null) {
      const channel: Channel = new Channel(browserWorld("/healthz"), fleetFeed(this.#fleet), (state) => {
        live.tell(channel, state);
        if (state.is === "live") this.#loaded();
      });
      this.#channel = channel;
      const detach = live.attach(channel);
      signal.addEventListener("abort", detach);
      channel.start();
      this.#every(LOOK_MS, () => channel.state.is === "live");
    } else if (may(me, "geo.view_location")) {
      live.poll(true);
      signal.addEventListener("abort", () => live.poll(false));
      void this.#look();
      this.#every(POLL_MS, () => true);
    }
  }

  stop(): void {
    this.#channel?.stop();
    clearTimeout(this.#ordering);
    this.#ends.abort();
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

  #every(ms: number, isWanted: () => boolean): void {
    const timer = setInterval(() => {
      if (isWanted() && !document.hidden) void this.#look();
    }, ms);
    this.#ends.signal.addEventListener("abort", () => clearInterval(timer));
  }

  async #look(): Promise<void> {
    try {
      await listFleet(this.#fleet, this.#ends.signal);
      this.#loaded();
    } catch (error) {
      // The next look may succeed; a lost session or right is told by others.
      if (!(error instanceof Refusal) && !this.#ends.signal.aborted) throw error;
    }
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
      const { place } = change;
      const known = this.vehicles.get(place.id);
      if (known) {
        if (known.name !== place.name) this.#orderSoon();
        known.name = place.name;
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
      const place = this.#fleet.get(id);
      const vehicle = this.vehicles.get(id);
      if (!place || !vehicle) return;
      place.organization ??= data.organization;
      vehicle.isShown = this.#fits(place);
      this.drawn();
      this.#orderSoon();
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
    const collator = new Intl.Collator("en", { numeric: true });
    const fitting = [...this.#fleet.all()].filter((place) => this.#fits(place));
    this.#listed = fitting.sort((a, b) => collator.compare(a.name, b.name));
    this.#all = this.#fleet.size;
  }
}
