// The fleet as the map's page shows it: what the feed brings, and what search and filter leave.

import { ask } from "../api/client";
import { lacksForFleet, may, type Me } from "../api/rights";
import { Channel, type ChannelState, type Verdict } from "../live/channel";
import { Fleet, type Change, type Place } from "../live/fleet";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { Motion } from "../map/motion";
import { compareNames } from "../many/order";
import type { Vehicle } from "../map/overlay";
import { fleetFeed, listFleet, refusedWhereFinal } from "./feeds";
import { live } from "./live.svelte";

/** The list beside the map is put in order at most that often. */
const ORDER_MS = 400;
/** New names, removals and organizations are not pushed: they are looked up. */
const LOOK_MS = 120_000;

/** A vehicle as it is drawn, and what is known of it. */
interface FleetVehicle extends Vehicle {
  place: Place;
}

export class FleetState {
  readonly vehicles = new Map<string, FleetVehicle>();
  #fleet = new Fleet((change) => this.#take(change));
  #source: Channel | Poller | null = null;
  #listed = $state.raw<Place[]>([]);
  #all = $state(0);
  #isLoaded = $state(false);
  #refused = $state<Exclude<Verdict, "yes"> | null>(null);
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

  /** Why it may not be watched any more, if so. */
  get refused(): Exclude<Verdict, "yes"> | null {
    return this.#refused;
  }

  get(id: string): Place | undefined {
    return this.#fleet.get(id);
  }

  start(me: Me): void {
    const { signal } = this.#ends;
    if (lacksForFleet(me) === null) {
      const feed = fleetFeed(this.#fleet);
      const channel: Channel = new Channel(browserWorld("/healthz"), feed, (state) => {
        this.#tell(channel, state);
        if (state.is === "live") this.#loaded();
      });
      this.#source = channel;
      signal.addEventListener("abort", live.attach(channel));
      channel.start();
      this.#lookFromTimeToTime(channel);
    } else if (may(me, "geo.view_location")) {
      // For who may see the list and not listen.
      const look = (signal: AbortSignal) => refusedWhereFinal(() => this.#look(signal));
      const poller: Poller = new Poller(browserWorld("/healthz"), look, (state) => this.#tell(poller, state));
      this.#source = poller;
      live.poll(true);
      signal.addEventListener("abort", () => live.poll(false));
      signal.addEventListener("abort", live.attach(poller));
      poller.start();
    }
  }

  #tell(source: Channel | Poller, state: ChannelState): void {
    live.tell(source, state);
    if (state.is === "refused") this.#refused = state.verdict;
  }

  stop(): void {
    this.#source?.stop();
    clearTimeout(this.#ordering);
    this.#ends.abort();
  }

  filter(search: string, organization: string | null): void {
    const wanted = search.trim().toLocaleLowerCase();
    // The view changes also with each move of the map.
    if (wanted === this.#search && organization === this.#organization) return;
    this.#search = wanted;
    this.#organization = organization;
    for (const place of this.#fleet.all()) {
      const vehicle = this.vehicles.get(place.id);
      if (vehicle) vehicle.isShown = this.#fits(place);
    }
    this.#order();
    this.drawn();
  }

  #lookFromTimeToTime(channel: Channel): void {
    const { signal } = this.#ends;
    const timer = setInterval(() => {
      if (channel.state.is !== "live" || document.hidden) return;
      // The next look may succeed; a lost session or right is told by the socket.
      void this.#look(signal).catch(() => undefined);
    }, LOOK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  async #look(signal: AbortSignal): Promise<Pace> {
    await listFleet(this.#fleet, signal, false);
    this.#loaded();
    return "later";
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
        if (known.place !== place) {
          known.place = place;
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
      this.vehicles.set(id, { id, name, place, motion, heardAt, isShown: this.#fits(place) });
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
      this.#fleet.belongs(id, data.organization);
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
    const fitting = [...this.#fleet.all()].filter((place) => this.#fits(place));
    this.#listed = fitting.sort((a, b) => compareNames(a.name, b.name));
    this.#all = this.#fleet.size;
  }
}
