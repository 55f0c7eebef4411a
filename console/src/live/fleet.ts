// Where everything is, by the list and by the socket: neither undoes what the other knew later.

/**
 * A mobile location as the console knows it. Its moves alter it, for there are many; with another name,
 * address or organization it is another object, so that whoever shows those sees that it is.
 */
export interface Place {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** Not known of one that only the socket has told of so far. */
  readonly organization: string | null;
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
  /** Those of which the newest that is known is a list's, and which the socket will tell again. */
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

  /** Says whose it is, of one of which only the socket has told. */
  belongs(id: string, organization: string): void {
    const known = this.#places.get(id);
    if (known?.organization === null) this.tell({ is: "here", place: this.#alter(known, { organization }) });
  }

  /** Takes over what is not its place; answers with the same object where nothing of it is new. */
  #alter(known: Place, more: Partial<Pick<Place, "name" | "address" | "organization">>): Place {
    const place = { ...known, ...more };
    const { name, address, organization } = place;
    if (known.name === name && known.address === address && known.organization === organization) return known;
    this.#places.set(place.id, place);
    return place;
  }

  /** Before a list is asked for: what the socket says from here on is newer than the list. */
  beginList(): FleetList {
    const begun = this.#messages;
    const listed = new Set<string>();
    return {
      add: (feature, toldAgainFrom = Infinity) => {
        listed.add(feature.id);
        this.#list(feature, begun, toldAgainFrom);
      },
      count: () => listed.size,
      finish: () => {
        for (const id of [...this.#places.keys()]) {
          if (!listed.has(id) && (this.#told.get(id) ?? 0) <= begun) this.#remove(id);
        }
      },
    };
  }

  #list(feature: LocationFeature, begun: number, toldAgainFrom: number): void {
    const { id, properties } = feature;
    const { name, address, organization, is_mobile, modified } = properties;
    if ((this.#told.get(id) ?? 0) > begun) {
      // The socket has told of it since; whose it is, it does not say.
      return this.belongs(id, organization);
    }
    if (!is_mobile) return this.#remove(id);
    const heardAt = Date.parse(modified);
    if (heardAt >= toldAgainFrom) this.#asListed.add(id);
    this.#put(id, feature.geometry.coordinates, heardAt, { name, address, organization });
  }

  /** Takes a message that came now, by the server's clock. */
  read(message: LocationMessage, now: number): void {
    this.#messages += 1;
    this.#told.set(message.id, this.#messages);
    const { id, name, address } = message;
    if (!message.is_mobile) return this.#remove(id);
    const known = this.#places.get(id);
    const [longitude, latitude] = message.geometry.coordinates;
    const isAgain =
      this.#asListed.delete(id) && known?.longitude === longitude && known.latitude === latitude;
    // `?since=` says again what the list said: that is no report of this moment.
    const heardAt = isAgain ? known.heardAt : now;
    this.#put(id, [longitude, latitude], heardAt, { name, address });
  }

  #put(
    id: string,
    [longitude, latitude]: [number, number],
    heardAt: number,
    more: { name: string; address: string; organization?: string },
  ): void {
    const known = this.#places.get(id);
    if (!known) {
      const place = { id, organization: null, ...more, longitude, latitude, heardAt };
      this.#places.set(id, place);
      return this.tell({ is: "here", place });
    }
    const place = this.#alter(known, more);
    const moved = place.longitude !== longitude || place.latitude !== latitude;
    place.longitude = longitude;
    place.latitude = latitude;
    place.heardAt = Math.max(place.heardAt, heardAt);
    this.tell({ is: moved ? "moved" : "here", place });
  }

  #remove(id: string): void {
    this.#asListed.delete(id);
    if (this.#places.delete(id)) this.tell({ is: "gone", id });
  }
}

/** A list on its way, page by page. */
export interface FleetList {
  /** What was modified from `toldAgainFrom` on (milliseconds) the socket tells again when it opens. */
  add(feature: LocationFeature, toldAgainFrom?: number): void;
  /** How many different ones it has so far. */
  count(): number;
  /** It was whole: what is not in it is gone. */
  finish(): void;
}
