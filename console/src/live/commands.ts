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

/** So many are kept, the newest: each may have a mebibyte of output. */
export const MOST_COMMANDS = 100;

/** What the socket says of one. */
export interface CommandMessage {
  model: "Command";
  data: Omit<Command, "exit_code" | "created_by" | "batch">;
}

export class Commands {
  readonly #commands = new Map<string, Command>();
  readonly #told = new Map<string, number>();
  #messages = 0;
  #kept: string | null = null;

  /** `tell` hears of each change. */
  constructor(private readonly tell: () => void) {}

  /** Newest first. */
  all(): Command[] {
    return [...this.#commands.values()].sort((a, b) => compare(b.created, a.created));
  }

  get(id: string): Command | undefined {
    return this.#commands.get(id);
  }

  /** Those that have not ended, as far as is known. */
  running(): string[] {
    return [...this.#commands.values()].filter((it) => !hasEnded(it)).map((it) => it.id);
  }

  /** This one stays, however old it becomes. */
  keep(id: string): void {
    this.#kept = id;
  }

  /** Takes what REST answered to something that was done: what the socket has told of it is newer. */
  take(command: Command): void {
    this.#list(command, -1);
    this.#leaveOut();
    this.tell();
  }

  /** Before REST is asked: answers with what takes over its answer. */
  beginList(): (commands: Command[]) => void {
    const begun = this.#messages;
    return (commands) => {
      for (const command of commands) this.#list(command, begun);
      this.#leaveOut();
      this.tell();
    };
  }

  #list(command: Command, begun: number): void {
    const known = this.#commands.get(command.id);
    const isToldSince = (this.#told.get(command.id) ?? 0) > begun;
    if (known && isNewer(known, command, isToldSince)) {
      const { created_by, batch } = command;
      const exit_code = known.exit_code ?? command.exit_code;
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
    if (known && hasEnded(known) && !hasEnded(data)) return null;
    const { exit_code = null, created_by = null, batch = null } = known ?? {};
    const command = { ...data, exit_code, created_by, batch };
    this.#commands.set(data.id, command);
    this.#leaveOut();
    this.tell();
    return !hasEnded(data) || known?.exit_code != null ? null : command;
  }

  /** A page that is open for days would fill with outputs that nobody looks at. */
  #leaveOut(): void {
    if (this.#commands.size <= MOST_COMMANDS) return;
    for (const command of this.all().slice(MOST_COMMANDS)) {
      if (!hasEnded(command) || command.id === this.#kept) continue;
      this.#commands.delete(command.id);
      this.#told.delete(command.id);
    }
  }
}

export function hasEnded({ status }: Pick<Command, "status">): boolean {
  return status !== "in-progress";
}

/** Whether what is known is newer than what REST answered; both are whole snapshots. */
function isNewer(known: Command, answer: Command, isToldSince: boolean): boolean {
  // What has ended does not change any more, however late its answer comes.
  if (hasEnded(known) !== hasEnded(answer)) return hasEnded(known);
  if (known.modified !== answer.modified) return known.modified > answer.modified;
  return isToldSince && !hasEnded(answer);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
