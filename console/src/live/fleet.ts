// Where everything is, by the list and by the socket: neither undoes what the other knew later.

/**
 * A mobile location as the console knows it. Where it is changes in its place, often; what else there is of
 * it makes another object, so that who compares them sees it.
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
    /** When it reported last. */
    moved: string;
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

/** What became of a place; `isOther` where it is another object than before. */
export type Change =
  | { is: "here"; place: Place; isOther: boolean }
  | { is: "moved"; place: Place; isOther: boolean }
  | { is: "gone"; id: string };

/** `?since=` says again what moved up to that long before (the contract, section 5). */
const REPLAY_MARGIN_MS = 10_000;

export class Fleet {
  readonly #places = new Map<string, Place>();
  /** The number of the last message of each place; numbers are those of messages at all. */
  readonly #told = new Map<string, number>();
  /** Those that `?since=` is going to say again as they were listed. */
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
      add: (feature, since = null) => {
        listed.add(feature.id);
        this.#list(feature, begun, since);
      },
      count: () => listed.size,
      finish: () => {
        for (const id of [...this.#places.keys()]) {
          if (!listed.has(id) && (this.#told.get(id) ?? 0) <= begun) this.#remove(id);
        }
        this.#forget(begun);
      },
    };
  }

  /** Says whose one is that the socket told of. */
  introduce(id: string, organization: string): void {
    const known = this.#places.get(id);
    if (known?.organization === null) this.#put({ ...known, organization });
  }

  #list(feature: LocationFeature, begun: number, since: number | null): void {
    const { id } = feature;
    const { name, address, organization, is_mobile } = feature.properties;
    if ((this.#told.get(id) ?? 0) > begun) return this.introduce(id, organization);
    if (!is_mobile) return this.#remove(id);
    const heardAt = Date.parse(feature.properties.moved);
    if (since !== null) {
      if (heardAt > since - REPLAY_MARGIN_MS) this.#asListed.add(id);
      else this.#asListed.delete(id);
    }
    const [longitude, latitude] = feature.geometry.coordinates;
    this.#put({ id, name, address, organization, longitude, latitude, heardAt });
  }

  /** Takes a message that came now, by the server's clock. */
  read(message: LocationMessage, now: number): void {
    this.#messages += 1;
    this.#told.set(message.id, this.#messages);
    const { id, name, address } = message;
    const isListed = this.#asListed.delete(id);
    if (!message.is_mobile) return this.#remove(id);
    const known = this.#places.get(id);
    const [longitude, latitude] = message.geometry.coordinates;
    const isAgain = isListed && known?.longitude === longitude && known.latitude === latitude;
    // What is said again is no report of this moment.
    const heardAt = isAgain ? known.heardAt : now;
    this.#put({ id, name, address, organization: known?.organization ?? null, longitude, latitude, heardAt });
  }

  #put(place: Place): void {
    const { id, name, address, organization, longitude, latitude } = place;
    const known = this.#places.get(id);
    if (!known) {
      this.#places.set(id, place);
      return this.tell({ is: "here", place, isOther: true });
    }
    const moved = known.longitude !== longitude || known.latitude !== latitude;
    const heardAt = Math.max(known.heardAt, place.heardAt);
    const is = moved ? "moved" : "here";
    if (known.name !== name || known.address !== address || known.organization !== organization) {
      const other = { ...place, heardAt };
      this.#places.set(id, other);
      return this.tell({ is, place: other, isOther: true });
    }
    known.longitude = longitude;
    known.latitude = latitude;
    known.heardAt = heardAt;
    this.tell({ is, place: known, isOther: false });
  }

  /** What was told before a list that is whole, of what is not there any more, is of no use. */
  #forget(begun: number): void {
    for (const [id, told] of [...this.#told]) {
      if (told > begun || this.#places.has(id)) continue;
      this.#told.delete(id);
      this.#asListed.delete(id);
    }
  }

  #remove(id: string): void {
    // What the messages said of it is still to be newer than a list on its way: `finish` forgets that.
    if (this.#places.delete(id)) this.tell({ is: "gone", id });
  }
}

/** A list on its way, page by page. */
export interface FleetList {
  /** `since`: the moment from which on the socket is going to say again what moved, if it is. */
  add(feature: LocationFeature, since?: number | null): void;
  /** How many different ones it has so far. */
  count(): number;
  /** It was whole: what is not in it is gone. */
  finish(): void;
}
