// What search and organization leave of the fleet, by name: the list beside the map.

import type { Fleet, Place } from "../live/fleet";
import { byName } from "../many/order";

/** It is put in order at most that often. */
const ORDER_MS = 400;

export class FleetSearch {
  #listed = $state.raw<Place[]>([]);
  #all = $state(0);
  #search = "";
  #organization: string | null = null;
  #ordering: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly fleet: Fleet) {}

  /** What is left, in order. */
  get listed(): Place[] {
    return this.#listed;
  }

  /** How many there are at all. */
  get all(): number {
    return this.#all;
  }

  /** Another search, or another organization. */
  set(search: string, organization: string | null): void {
    this.#search = search.trim().toLocaleLowerCase();
    this.#organization = organization;
    this.order();
  }

  leaves(place: Place): boolean {
    if (this.#organization !== null && place.organization !== this.#organization) return false;
    return !this.#search || place.name.toLocaleLowerCase().includes(this.#search);
  }

  orderSoon(): void {
    if (this.#ordering !== undefined) return;
    this.#ordering = setTimeout(() => this.order(), ORDER_MS);
  }

  order(): void {
    this.stop();
    this.#listed = byName([...this.fleet.all()].filter((place) => this.leaves(place)));
    this.#all = this.fleet.size;
  }

  /** Puts nothing in order any more that was to be. */
  stop(): void {
    clearTimeout(this.#ordering);
    this.#ordering = undefined;
  }
}
