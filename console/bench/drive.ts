// A fleet that drives around Rome and reports through the public REST API.

import { Agent, request } from "node:http";

import type { Server } from "../tests/server.ts";

const MIDDLE: [number, number] = [12.4964, 41.9028];
/** Degrees a second, about 40 km/h. */
const SPEED = 0.0001;
const TICK_MS = 50;

interface Vehicle {
  path: string;
  at: [number, number];
  heading: number;
}

export class Drive {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 24 });
  #timer: ReturnType<typeof setInterval> | undefined;
  #vehicles: Vehicle[] = [];
  /** How many reports were answered with 200, and how many not. */
  reported = 0;
  failed = 0;

  constructor(
    private readonly server: Server,
    private readonly token: string,
  ) {}

  /** Adds so many, spread over `degrees` around the middle; each has reported once. */
  async add(count: number, organization: string, degrees: number): Promise<void> {
    let next = 0;
    const one = async () => {
      while (next < count) {
        next += 1;
        const name = `Vehicle ${next}`;
        const body = { name, organization };
        const { id, key } = (await this.#ask("POST", "/api/v1/controller/device/", body)) as Record<string, string>;
        const path = `/api/v1/controller/device/${id}/coordinates/?key=${key}`;
        const at = MIDDLE.map((it) => it + (Math.random() - 0.5) * degrees) as [number, number];
        const vehicle = { path, at, heading: Math.random() * 2 * Math.PI };
        this.#vehicles.push(vehicle);
        await this.#report(vehicle);
      }
    };
    await Promise.all(Array.from({ length: 16 }, one));
  }

  /** Each drives on and reports once in that time, one after the other. */
  start(periodMs: number): void {
    const { length } = this.#vehicles;
    const begun = Date.now();
    let done = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((Date.now() - begun) / periodMs) * length);
      for (; done < due; done += 1) {
        const vehicle = this.#vehicles[done % length];
        if (!vehicle) return;
        vehicle.heading += (Math.random() - 0.5) * 0.6;
        vehicle.at[0] += Math.sin(vehicle.heading) * SPEED * (periodMs / 1000);
        vehicle.at[1] += Math.cos(vehicle.heading) * SPEED * (periodMs / 1000);
        void this.#report(vehicle);
      }
    }, TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#agent.destroy();
  }

  async #report({ path, at }: Vehicle): Promise<void> {
    const body = { type: "Feature", geometry: { type: "Point", coordinates: at } };
    try {
      await this.#ask("PUT", path, body);
      this.reported += 1;
    } catch {
      this.failed += 1;
    }
  }

  #ask(method: string, path: string, body: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const headers = { "Content-Type": "application/json", Authorization: `Bearer ${this.token}` };
      const options = { method, headers, agent: this.#agent, host: "127.0.0.1", port: this.server.port, path };
      const asked = request(options, (answer) => {
        let text = "";
        answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
        answer.on("end", () => {
          const isGood = (answer.statusCode ?? 500) < 300;
          if (isGood) resolve(JSON.parse(text));
          else reject(new Error(`${answer.statusCode} ${text}`));
        });
        answer.on("error", reject);
      });
      asked.on("error", reject);
      asked.end(JSON.stringify(body));
    });
  }
}
