// A device as its page shows it: facts, where it is, how it is reached, and its commands as they run.

import { Refusal } from "../api/client";
import {
  commandTypes,
  connections,
  device,
  deviceLocation,
  type CommandType,
  type Connection,
  type Device,
  type DeviceLocation,
} from "../api/resources";
import { lacksForCommands, may, type Me, type Right } from "../api/rights";
import { Channel, type ChannelState, type Feed, type Final } from "../live/channel";
import { Commands, type Command } from "../live/commands";
import { Poller, type Pace } from "../live/poller";
import { browserWorld } from "../live/world";
import { reasonOf } from "../reason";
import { askFor, commandsFeed, listCommands, refusedWhereFinal } from "./feeds";
import { live } from "./live.svelte";
import { pollFor } from "./polling";

/** For who may see commands and not listen. */
const POLL_MS = 3000;

export class DeviceState {
  #device = $state.raw<Device>();
  #location = $state.raw<DeviceLocation["location"]>(null);
  #connections = $state.raw<Connection[]>([]);
  #types = $state.raw<CommandType[]>([]);
  #commands = $state.raw<Command[]>([]);
  #isLoaded = $state(false);
  #wrong = $state("");
  #refused = $state<Final | null>(null);
  #store = new Commands(() => this.#show());
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

  /** Why its commands may not be seen, if so. */
  get refused(): Final | null {
    return this.#refused;
  }

  start(): void {
    if (!may(this.me, "connection.view_command")) this.#pollFacts();
    else if (lacksForCommands(this.me) === null) this.#watch();
    else this.#poll();
  }

  /**
   * Asks for what is no command. Each is shown when it comes; what may not be had is told. It throws where
   * asking again is worthwhile.
   */
  async #askFacts(signal: AbortSignal): Promise<void> {
    const { me, id } = this;
    const refusals: Refusal[] = [];
    const get = async <T>(right: Right, ask: () => Promise<T>, take: (answer: T) => void) => {
      if (!may(me, right)) return;
      try {
        take(await ask());
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refusals.push(error);
      }
    };
    const where = async () => {
      try {
        return (await deviceLocation(id, signal)).location;
      } catch (error) {
        // A device that is nowhere has no location; whether it is there at all is told by the first.
        if (error instanceof Refusal && error.status === 404) return null;
        throw error;
      }
    };
    await Promise.all([
      get("config.view_device", () => device(id, signal), (it) => (this.#device = it)),
      get("geo.view_devicelocation", where, (it) => (this.#location = it)),
      get("connection.view_deviceconnection", () => connections(id, signal), (it) => {
        this.#connections = it;
      }),
      get("connection.add_command", () => commandTypes(id, signal), (it) => (this.#types = it)),
    ]);
    this.#wrong = refusals[0] ? reasonOf(refusals[0]) : "";
    const passing = refusals.find(({ status }) => status === 0 || status === 429 || status >= 500);
    if (passing) throw passing;
  }

  async #askConnections(): Promise<void> {
    if (!may(this.me, "connection.view_deviceconnection")) return;
    try {
      this.#connections = await connections(this.id, this.#ends.signal);
    } catch (error) {
      // What was known of them is shown; they are asked for with each connect.
      if (!(error instanceof Refusal) && !this.#ends.signal.aborted) throw error;
    }
  }

  #show(): void {
    const before = new Set(this.#commands.filter(hasEnded).map((it) => it.id));
    this.#commands = this.#store.all();
    if (!this.#isLoaded) return;
    // A command that has ended has also tried the connection.
    if (this.#commands.some((it) => hasEnded(it) && !before.has(it.id))) void this.#askConnections();
  }

  #watch(): void {
    const { signal } = this.#ends;
    const commands = commandsFeed(this.id, this.#store);
    const feed: Feed = {
      ...commands,
      // With each connect: after it, nothing is missing.
      list: async (signal, heard) => {
        const [since] = await Promise.all([commands.list(signal, heard), this.#askFacts(signal)]);
        return since;
      },
    };
    const channel: Channel = new Channel(browserWorld("/healthz"), feed, (state) => {
      live.tell(channel, state);
      this.#tell(state);
    });
    const detach = live.attach(channel);
    signal.addEventListener("abort", () => {
      channel.stop();
      detach();
    });
    channel.start();
  }

  /** For who may see commands and not listen. */
  #poll(): void {
    let hasFacts = false;
    const look = async (signal: AbortSignal, heard: () => void): Promise<Pace> => {
      const commands = refusedWhereFinal(() => listCommands(this.id, this.#store, signal, heard));
      const facts = hasFacts ? null : this.#askFacts(signal);
      hasFacts = false;
      await Promise.all([commands, facts]);
      hasFacts = true;
      return this.#store.open().length > 0 ? "soon" : "later";
    };
    pollFor(look, (state) => this.#tell(state), POLL_MS, this.#ends.signal);
  }

  /** For who sees nothing that moves: asked until it is there, and seldom after that. */
  #pollFacts(): void {
    const look = async (signal: AbortSignal): Promise<Pace> => {
      await this.#askFacts(signal);
      return "rarely";
    };
    const poller = new Poller(browserWorld("/healthz"), look, () => undefined);
    this.#ends.signal.addEventListener("abort", () => poller.stop());
    poller.start();
  }

  #tell(state: ChannelState): void {
    this.#refused = state.is === "refused" ? state.verdict : null;
    if (state.is === "live") this.#isLoaded = true;
  }

  /** Somebody looks at this one, which may be older than those that are listed: a link may lead to it. */
  async want(id: string): Promise<void> {
    this.#store.want(id);
    if (this.#store.get(id)) return;
    try {
      await askFor(this.id, id, this.#store, this.#ends.signal);
    } catch (error) {
      // With the next connect it is asked for again.
      if (!(error instanceof Refusal) && !this.#ends.signal.aborted) throw error;
    }
  }

  /** Takes over what REST answered to something that was done. */
  take(command: Command): void {
    this.#store.beginList()([command]);
  }

  stop(): void {
    this.#ends.abort();
  }
}

function hasEnded({ status }: Command): boolean {
  return status !== "in-progress";
}
