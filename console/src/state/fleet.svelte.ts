// The fleet as the map's page shows it: vehicles that move as they are heard of.

import { ask } from "../api/client";
import type { Me } from "../api/rights";
import type { ChannelState, Final } from "../live/channel";
import { Fleet, type Change, type Place } from "../live/fleet";
import { Motion } from "../map/motion";
import type { Vehicle } from "../map/overlay";
import { FleetSearch } from "./fleetSearch.svelte";
import { watchFleet } from "./fleetWatch";

export class FleetState {
  readonly vehicles = new Map<string, Vehicle>();
  readonly #fleet = new Fleet((change) => this.#take(change));
  readonly #found = new FleetSearch(this.#fleet);
  #isLoaded = $state(false);
  #refused = $state<Final | null>(null);
  #ends = new AbortController();
  #asked = new Set<string>();

  /** `drawn` is called when something is to be drawn anew. */
  constructor(
    private readonly isSmooth: () => boolean,
    private readonly drawn: () => void,
  ) {}

  /** What search and filter leave, by name. */
  get listed(): Place[] {
    return this.#found.listed;
  }

  /** How many there are at all. */
  get all(): number {
    return this.#found.all;
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
    watchFleet(this.#fleet, me, {
      tell: (state) => this.#tell(state),
      listed: () => this.#loaded(),
      ends: this.#ends.signal,
    });
  }

  stop(): void {
    this.#ends.abort();
    this.#found.stop();
  }

  filter(search: string, organization: string | null): void {
    this.#found.set(search, organization);
    for (const place of this.#fleet.all()) {
      const vehicle = this.vehicles.get(place.id);
      if (vehicle) vehicle.isShown = this.#found.leaves(place);
    }
    this.drawn();
  }

  #tell(state: ChannelState): void {
    this.#refused = state.is === "refused" ? state.verdict : null;
    if (state.is === "live") this.#loaded();
  }

  #loaded(): void {
    this.#found.order();
    this.#isLoaded = true;
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
          known.isShown = this.#found.leaves(place);
          this.#found.orderSoon();
        }
        known.heardAt = place.heardAt;
        known.motion.report(place.longitude, place.latitude, performance.now(), this.isSmooth());
        this.drawn();
        return;
      }
      const motion = new Motion(place.longitude, place.latitude);
      const { id, name, heardAt } = place;
      this.vehicles.set(id, { id, name, motion, heardAt, isShown: this.#found.leaves(place) });
      if (place.organization === null) void this.#introduce(id);
    }
    this.drawn();
    this.#found.orderSoon();
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
}
