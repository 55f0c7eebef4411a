// A real SSH server to run commands on, in the account that tests/servers/ssh.sh made.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort, type Server } from "./server.ts";

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run \`make test-console\``);
  return value;
}

export class SshServer {
  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly process: ChildProcess,
  ) {}

  static async start(): Promise<SshServer> {
    const user = variable("FLEETWIRE_TEST_SSH_USER");
    const directory = mkdtempSync(join(tmpdir(), "fleetwire-console-ssh-"));
    const key = join(directory, "host_ed25519");
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const port = await freePort();
    const configuration = join(directory, "sshd_config");
    const lines = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${key}`,
      `AllowUsers ${user}`,
      `PidFile ${join(directory, "pid")}`,
      "UsePAM no",
      "PasswordAuthentication yes",
      "KbdInteractiveAuthentication no",
      "StrictModes no",
      "PrintMotd no",
      "PrintLastLog no",
    ];
    writeFileSync(configuration, `${lines.join("\n")}\n`);
    const program = variable("FLEETWIRE_TEST_SSHD");
    const child = spawn(program, ["-D", "-e", "-f", configuration], { stdio: "ignore" });
    await accepting(port);
    return new SshServer(port, directory, child);
  }

  /** Makes a device of the server's that commands are run on here. */
  async reach(
    server: Server,
    device: string,
    organization: string,
    credential = "login",
  ): Promise<void> {
    const user = variable("FLEETWIRE_TEST_SSH_USER");
    server.cli(["device", "set", device, "--address", `127.0.0.1:${this.port}`]);
    const flags = ["--org", organization, "--username", user, "--password-stdin"];
    server.cli(["credential", "add", credential, ...flags], variable("FLEETWIRE_TEST_SSH_PASSWORD"));
    server.cli(["connection", "add", device, credential]);
  }

  remove(): void {
    this.process.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function accepting(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const is = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (is) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("sshd does not listen");
}
