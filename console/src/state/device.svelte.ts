// A device as its page shows it: facts, where it is, how it is reached, and its commands as they run.

import { Refusal } from "../api/client";
import {
  command,
  commandTypes,
  connections,
  device,
  deviceLocation,
  lastCommands,
  type CommandType,
  type Connection,
  type Device,
  type DeviceLocation,
} from "../api/resources";
import { lacksForCommands, may, type Me, type Right } from "../api/rights";
import { Channel, type ChannelState } from "../live/channel";
import { Commands, hasEnded, type Command } from "../live/commands";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { reasonOf } from "../reason";
import { commandsFeed, refusedWhereFinal } from "./feeds";
import { live } from "./live.svelte";

export class DeviceState {
  #device = $state.raw<Device>();
  #location = $state.raw<DeviceLocation["location"]>(null);
  #connections = $state.raw<Connection[]>([]);
  #types = $state.raw<CommandType[]>([]);
  #commands = $state.raw<Command[]>([]);
  #isLoaded = $state(false);
  #wrong = $state("");
  #store = new Commands(() => this.#show());
  #source: Channel | Poller | null = null;
  #ends = new AbortController();

  constructor(
    private readonly me: Me,
    private readonly id: string,
  ) {}

  get device(): Device | undefined {
    return this.#device;
  }

  get location(): DeviceLocation["location"] {
    return this.#location;
  }

  get connections(): Connection[] {
    return this.#connections;
  }

  get types(): CommandType[] {
    return this.#types;
  }

  /** Newest first. */
  get commands(): Command[] {
    return this.#commands;
  }

  /** Whether the commands have come. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Why the page has less to show than it should. */
  get wrong(): string {
    return this.#wrong;
  }

  start(): void {
    this.askFacts();
    if (may(this.me, "connection.view_command")) this.#watch();
  }

  /** All but the commands: at the start, and when the server is there again. */
  askFacts(): void {
    const { me, id } = this;
    const { signal } = this.#ends;
    this.#wrong = "";
    const get = <T>(right: Right, ask: () => Promise<T>, take: (answer: T) => void) => {
      if (may(me, right)) void this.#get(ask, take);
    };
    get("config.view_device", () => device(id, signal), (it) => (this.#device = it));
    get("geo.view_devicelocation", () => deviceLocation(id, signal), (it) => {
      this.#location = it.location;
    });
    this.#askConnections();
    get("connection.add_command", () => commandTypes(id, signal), (it) => (this.#types = it));
  }

  #askConnections(): void {
    if (!may(this.me, "connection.view_deviceconnection")) return;
    void this.#get(() => connections(this.id, this.#ends.signal), (it) => (this.#connections = it));
  }

  #show(): void {
    const before = new Set(this.#commands.filter(hasEnded).map((it) => it.id));
    this.#commands = this.#store.all();
    if (!this.#isLoaded) return;
    // A command that has ended has also tried the connection.
    if (this.#commands.some((it) => hasEnded(it) && !before.has(it.id))) this.#askConnections();
  }

  async #get<T>(ask: () => Promise<T>, take: (answer: T) => void): Promise<void> {
    try {
      take(await ask());
    } catch (error) {
      const isAway = error instanceof Refusal && error.status === 404 && this.#device;
      // A device that is nowhere has no location.
      if (!this.#ends.signal.aborted && !isAway) this.#wrong ||= reasonOf(error);
    }
  }

  #watch(): void {
    const { signal } = this.#ends;
    if (lacksForCommands(this.me) === null) {
      const feed = commandsFeed(this.id, this.#store);
      const channel: Channel = new Channel(browserWorld("/healthz"), feed, (state) => this.#tell(channel, state));
      this.#source = channel;
    } else {
      // For who may see commands and not listen.
      const look = (signal: AbortSignal) => refusedWhereFinal(() => this.#look(signal));
      const poller: Poller = new Poller(browserWorld("/healthz"), look, (state) => this.#tell(poller, state));
      this.#source = poller;
      live.poll(true);
      signal.addEventListener("abort", () => live.poll(false));
    }
    signal.addEventListener("abort", live.attach(this.#source));
    this.#source.start();
  }

  #tell(source: Channel | Poller, state: ChannelState): void {
    live.tell(source, state);
    if (state.is !== "live") return;
    this.#isLoaded = true;
    // What could not be read without a network is read now.
    if (this.#wrong) this.askFacts();
  }

  async #look(signal: AbortSignal): Promise<Pace> {
    const take = this.#store.beginList();
    const before = JSON.stringify(this.#commands);
    take((await lastCommands(this.id, signal)).data.results);
    return JSON.stringify(this.#commands) === before ? "later" : "soon";
  }

  /** Looks up one that is older than those that are listed: a link may lead to it. */
  async want(id: string): Promise<void> {
    this.#store.keep(id);
    if (this.#store.get(id)) return;
    const take = this.#store.beginList();
    try {
      take([await command(this.id, id)]);
    } catch (error) {
      // It is gone: the page shows those that are there.
      if (!(error instanceof Refusal)) throw error;
    }
  }

  /** Takes over what REST answered to something that was done. */
  take(command: Command): void {
    this.#store.take(command);
  }

  stop(): void {
    this.#source?.stop();
    this.#ends.abort();
  }
}
