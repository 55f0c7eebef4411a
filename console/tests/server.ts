// The real program with a data directory of its own, filled by its own command line.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM =
  process.env["FLEETWIRE"] ?? join(import.meta.dirname, "../../target/debug/fleetwire");

export const PASSWORD = "correct horse battery";

/** Rows as the command line prints them. */
type Row = Record<string, unknown> & { id: string };

export class Server {
  readonly #directory = mkdtempSync(join(tmpdir(), "fleetwire-console-"));
  #process: ChildProcess | null = null;
  #log = "";
  #printed: () => void = () => undefined;

  private constructor(
    readonly port: number,
    private readonly settings: Record<string, string>,
  ) {}

  static async start(settings: Record<string, string> = {}): Promise<Server> {
    const server = new Server(await freePort(), settings);
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Returns when it listens. */
  async run(): Promise<void> {
    const listen = ["serve", "--listen", `127.0.0.1:${this.port}`];
    const child = spawn(PROGRAM, [...listen, "--data-dir", this.#directory], {
      env: { ...process.env, ...this.settings },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    this.#log = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr.on("data", (chunk: Buffer) => {
        this.#log += chunk.toString();
        this.#printed();
        if (this.#log.includes("listening on")) resolve();
      });
      child.once("exit", (code) => reject(new Error(`the server ended (${code}): ${this.#log}`)));
    });
    child.removeAllListeners("exit");
  }

  /** What its log has had, or gets, that is like this. */
  async logged(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#log)?.[1];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (this.#printed = resolve));
    }
  }

  /** Ends it at once; its data stays. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Runs the command line on the same data. */
  cli(arguments_: string[], input = ""): Row {
    const end = arguments_.indexOf("--");
    const options = ["--data-dir", this.#directory, "--json"];
    const all =
      end < 0
        ? [...arguments_, ...options]
        : [...arguments_.slice(0, end), ...options, ...arguments_.slice(end)];
    const { status, stdout, stderr } = spawnSync(PROGRAM, all, {
      input,
      encoding: "utf8",
      env: { ...process.env, ...this.settings },
    });
    if (status !== 0) throw new Error(`fleetwire ${arguments_.join(" ")}: ${stderr}`);
    return (stdout.trim() ? JSON.parse(stdout) : {}) as Row;
  }

  /** What the command line lists. */
  list(arguments_: string[]): Row[] {
    return this.cli(arguments_) as unknown as Row[];
  }

  organization(name: string): string {
    return this.cli(["org", "add", name]).id;
  }

  user(name: string, ...flags: string[]): void {
    this.cli(["user", "add", name, "--password-stdin", ...flags], `${PASSWORD}\n`);
  }

  operator(name: string, organization: string): void {
    this.user(name, "--staff", "--group", "Operator", "--manages", organization);
  }

  device(name: string, organization: string): { id: string; key: string } {
    const { id, key } = this.cli(["device", "add", name, "--org", organization]);
    return { id, key: String(key) };
  }

  /** Ends all sessions, as an administrator does. */
  endSessions(): void {
    for (const { id } of this.list(["session", "list"])) this.cli(["session", "remove", id]);
  }

  /** Reports where a device is, as a vehicle does. */
  async report({ id, key }: { id: string; key: string }, at: [number, number]): Promise<void> {
    const answer = await fetch(
      `${this.url}/api/v1/controller/device/${id}/coordinates/?key=${key}`,
      {
        method: "PUT",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ type: "Feature", geometry: { type: "Point", coordinates: at } }),
      },
    );
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  }
}

export async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  if (typeof address !== "object" || !address) throw new Error("no port");
  return address.port;
}
