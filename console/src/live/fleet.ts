// Where everything is, by the list and by the socket: neither undoes what the other knew later.

/** A mobile location as the console knows it. */
export interface Place {
  readonly id: string;
  name: string;
  address: string;
  /** Not known of one that only the socket has told of so far. */
  organization: string | null;
  longitude: number;
  latitude: number;
  /** When it reported last, in milliseconds of the server's clock. */
  heardAt: number;
}

/** A feature of `location/geojson/`. */
export interface LocationFeature {
  id: string;
  geometry: { coordinates: [number, number] };
  properties: {
    name: string;
    address: string;
    organization: string;
    is_mobile: boolean;
    modified: string;
  };
}

/** A message of the socket. */
export interface LocationMessage {
  id: string;
  name: string;
  address: string;
  is_mobile: boolean;
  geometry: { coordinates: [number, number] };
}

/** What became of a place. */
export type Change =
  | { is: "here"; place: Place }
  | { is: "moved"; place: Place }
  | { is: "gone"; id: string };

export class Fleet {
  readonly #places = new Map<string, Place>();
  /** The number of the last message of each place; numbers are those of messages at all. */
  readonly #told = new Map<string, number>();
  /** Those of which the newest that is known is the list's. */
  readonly #asListed = new Set<string>();
  #messages = 0;

  /** `tell` hears of each change, at once. */
  constructor(private readonly tell: (change: Change) => void) {}

  get size(): number {
    return this.#places.size;
  }

  get(id: string): Place | undefined {
    return this.#places.get(id);
  }

  all(): IterableIterator<Place> {
    return this.#places.values();
  }

  /** Those whose organization nobody has said yet. */
  unknown(): string[] {
    return [...this.all()].filter((it) => it.organization === null).map((it) => it.id);
  }

  /** Before a list is asked for: what the socket says from here on is newer than the list. */
  beginList(): FleetList {
    const begun = this.#messages;
    const listed = new Set<string>();
    return {
      add: (feature) => {
        listed.add(feature.id);
        this.#list(feature, begun);
      },
      count: () => listed.size,
      finish: () => {
        for (const id of [...this.#places.keys()]) {
          if (!listed.has(id) && (this.#told.get(id) ?? 0) <= begun) this.#remove(id);
        }
      },
    };
  }

  #list(feature: LocationFeature, begun: number): void {
    const { name, address, organization, is_mobile, modified } = feature.properties;
    const known = this.#places.get(feature.id);
    const isNewer = (this.#told.get(feature.id) ?? 0) <= begun;
    if (known) {
      known.organization = organization;
      if (!isNewer) return;
      known.name = name;
      known.address = address;
    }
    if (!isNewer) return;
    if (!is_mobile) return this.#remove(feature.id);
    this.#asListed.add(feature.id);
    this.#put(feature.id, feature.geometry.coordinates, Date.parse(modified), () => ({
      name,
      address,
      organization,
    }));
  }

  /** Takes a message that came now, by the server's clock. */
  read(message: LocationMessage, now: number): void {
    this.#messages += 1;
    this.#told.set(message.id, this.#messages);
    const { id, name, address } = message;
    if (!message.is_mobile) return this.#remove(id);
    const known = this.#places.get(id);
    if (known) {
      known.name = name;
      known.address = address;
    }
    const [longitude, latitude] = message.geometry.coordinates;
    const isAgain =
      this.#asListed.delete(id) && known?.longitude === longitude && known.latitude === latitude;
    // `?since=` says again what the list said: that is no report of this moment.
    const heardAt = isAgain ? known.heardAt : now;
    this.#put(id, [longitude, latitude], heardAt, () => ({ name, address, organization: null }));
  }

  #put(
    id: string,
    [longitude, latitude]: [number, number],
    heardAt: number,
    more: () => Pick<Place, "name" | "address" | "organization">,
  ): void {
    const known = this.#places.get(id);
    if (!known) {
      const place = { id, ...more(), longitude, latitude, heardAt };
      this.#places.set(id, place);
      return this.tell({ is: "here", place });
    }
    const moved = known.longitude !== longitude || known.latitude !== latitude;
    known.longitude = longitude;
    known.latitude = latitude;
    known.heardAt = Math.max(known.heardAt, heardAt);
    this.tell({ is: moved ? "moved" : "here", place: known });
  }

  #remove(id: string): void {
    if (this.#places.delete(id)) this.tell({ is: "gone", id });
  }
}

/** A list on its way, page by page. */
export interface FleetList {
  add(feature: LocationFeature): void;
  /** How many different ones it has so far. */
  count(): number;
  /** It was whole: what is not in it is gone. */
  finish(): void;
}
