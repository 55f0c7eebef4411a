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

/** So many are kept: each may have a mebibyte of output, and a page may be open for days. */
export const MOST_COMMANDS = 100;

export class Commands {
  readonly #commands = new Map<string, Command>();
  readonly #told = new Map<string, number>();
  #messages = 0;
  /** The one that somebody looks at: it is kept however old it is. */
  #wanted: string | null = null;

  /** `tell` hears of each change. */
  constructor(private readonly tell: () => void) {}

  /** Newest first. */
  all(): Command[] {
    return [...this.#commands.values()].sort((a, b) => compare(b.created, a.created));
  }

  get(id: string): Command | undefined {
    return this.#commands.get(id);
  }

  /** Keeps this one, and no other for being looked at. */
  want(id: string): void {
    this.#wanted = id;
  }

  /** Those that have not ended, as far as is known. */
  open(): string[] {
    return [...this.#commands.values()].filter(isOpen).map((it) => it.id);
  }

  /**
   * What is to be asked for one by one after a list of the newest: what ended while nobody listened may be
   * in no list and no `?since=`, and what is looked at may be older.
   */
  beyond(listed: readonly Pick<Command, "id">[]): string[] {
    const wanted = this.#wanted !== null && !this.#commands.has(this.#wanted) ? [this.#wanted] : [];
    const among = new Set(listed.map((it) => it.id));
    return [...this.open(), ...wanted].filter((id) => !among.has(id));
  }

  /** It is not there any more. */
  remove(id: string): void {
    if (this.#wanted === id) this.#wanted = null;
    this.#told.delete(id);
    if (this.#commands.delete(id)) this.tell();
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
    if (known && isOpen(command) && this.#isOlder(command, known, begun)) {
      const { exit_code, created_by, batch } = command;
      this.#commands.set(command.id, {
        ...known,
        exit_code: known.exit_code ?? exit_code,
        created_by: known.created_by ?? created_by,
        batch: known.batch ?? batch,
      });
    } else {
      // What has ended does not change any more, however late its answer comes.
      this.#put(command);
    }
  }

  /** Whether an answer was overtaken: by a message, by another answer, or by the end. */
  #isOlder(command: Command, known: Command, begun: number): boolean {
    if (!isOpen(known) || (this.#told.get(command.id) ?? 0) > begun) return true;
    return compare(command.modified, known.modified) < 0;
  }

  /** Takes a message of the socket; answers with the command if it has ended by it. */
  read({ data }: CommandMessage): Command | null {
    this.#messages += 1;
    this.#told.set(data.id, this.#messages);
    const known = this.#commands.get(data.id);
    // It was shown as ended, by REST: a snapshot that was on its way then is older.
    if (known && !isOpen(known) && isOpen(data)) return null;
    const { exit_code = null, created_by = null, batch = null } = known ?? {};
    const command = { ...data, exit_code, created_by, batch };
    this.#put(command);
    this.tell();
    return isOpen(data) || known?.exit_code != null ? null : command;
  }

  #put(command: Command): void {
    const isNew = !this.#commands.has(command.id);
    this.#commands.set(command.id, command);
    if (isNew && this.#commands.size > MOST_COMMANDS) this.#forgetTheOldest();
  }

  /** What runs is not forgotten: its end is still to come. */
  #forgetTheOldest(): void {
    const oldest = this.all().findLast((it) => !isOpen(it) && it.id !== this.#wanted);
    if (!oldest) return;
    this.#commands.delete(oldest.id);
    this.#told.delete(oldest.id);
  }
}

function isOpen({ status }: Pick<Command, "status">): boolean {
  return status === "in-progress";
}

/** Moments as the server writes them, all of the same length. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
