// The commands of one device, by the list and by the socket.

/** A command as REST answers it. What the socket does not say is null until REST has. */
export interface Command {
  id: string;
  device: string;
  connection: string | null;
  type: string;
  input: Record<string, unknown> | null;
  output: string;
  status: "in-progress" | "success" | "failed";
  created: string;
  modified: string;
  exit_code: number | null;
  created_by: string | null;
  batch: string | null;
}

/** What the socket says of one. */
export interface CommandMessage {
  model: "Command";
  data: Omit<Command, "exit_code" | "created_by" | "batch">;
}

export class Commands {
  readonly #commands = new Map<string, Command>();
  readonly #told = new Map<string, number>();
  #messages = 0;

  /** `tell` hears of each change. */
  constructor(private readonly tell: () => void) {}

  /** Newest first. */
  all(): Command[] {
    return [...this.#commands.values()].sort((a, b) => compare(b.created, a.created));
  }

  get(id: string): Command | undefined {
    return this.#commands.get(id);
  }

  /** Before REST is asked: answers with what takes over its answer. */
  beginList(): (commands: Command[]) => void {
    const begun = this.#messages;
    return (commands) => {
      for (const command of commands) this.#list(command, begun);
      this.tell();
    };
  }

  #list(command: Command, begun: number): void {
    const known = this.#commands.get(command.id);
    const isOld = known && (this.#told.get(command.id) ?? 0) > begun;
    // What has ended does not change any more, however late its answer comes.
    if (isOld && command.status === "in-progress") {
      const { exit_code, created_by, batch } = command;
      this.#commands.set(command.id, { ...known, exit_code, created_by, batch });
    } else {
      this.#commands.set(command.id, command);
    }
  }

  /** Takes a message of the socket; answers with the command if it has ended by it. */
  read({ data }: CommandMessage): Command | null {
    this.#messages += 1;
    this.#told.set(data.id, this.#messages);
    const known = this.#commands.get(data.id);
    // It was shown as ended, by REST: a snapshot that was on its way then is older.
    if (known && known.status !== "in-progress" && data.status === "in-progress") return null;
    const { exit_code = null, created_by = null, batch = null } = known ?? {};
    const command = { ...data, exit_code, created_by, batch };
    this.#commands.set(data.id, command);
    this.tell();
    return data.status === "in-progress" || known?.exit_code != null ? null : command;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
