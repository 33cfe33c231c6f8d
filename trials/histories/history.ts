// History — collects what clients tell of one history, and has it checked.
//
// Owns: lines to operations. Leaves to others: whether they make sense (partita/testing).

import {
  checkLinearizable,
  checkPerKeyOrder,
  type OrderedEvent,
  type VersionedOperation,
} from "../../testing/index.js";

interface Write extends VersionedOperation {
  readonly client: string;
  readonly call: number;
  readonly value: string;
  version: number | undefined;
  returned: number;
}

export class History {
  readonly #writes = new Map<string, Write>();
  readonly #reads: VersionedOperation[] = [];
  /** Writes whose clients were told that the outcome is unknown. */
  readonly #lost = new Set<string>();

  /** Takes a line of a client; others are none of its concern. */
  hear(word: string, rest: string): void {
    const [client = "", call = "", ...fields] = rest.split(" ");
    if (word === "began") this.#began(client, Number(call), fields);
    else if (word === "wrote") this.#wrote(`${client}/${call}`, fields);
    else if (word === "lost") this.#lost.add(`${client}/${call}`);
    else if (word === "read") this.#read(client, Number(call), fields);
  }

  /** So many reads and writes. */
  get size(): number {
    return this.#writes.size + this.#reads.length;
  }

  /** Writes whose outcome nobody has told. */
  get unknown(): number {
    return [...this.#writes.values()].filter(({ version }) => version === undefined).length;
  }

  /** What contradicts linearizability or order, in words. */
  violations(): readonly string[] {
    const writes = [...this.#writes.values()];
    const linear = checkLinearizable([...writes.map((one) => this.#asTold(one)), ...this.#reads]);
    const order = checkPerKeyOrder(appliedOrder(writes));
    return [...linear.violations, ...order.violations].map(({ rule, message }) => {
      return `${rule}: ${message}`;
    });
  }

  /**
   * Who was told that a write was lost does not wait for it any more: it may take effect later than
   * what he does next, as if somebody else had made it.
   */
  #asTold(write: Write): VersionedOperation {
    if (!this.#lost.has(write.value)) return write;
    const { client: _client, call: _call, ...operation } = write;
    return operation;
  }

  #began(client: string, call: number, [key = "", invoked = ""]: readonly string[]): void {
    const value = `${client}/${call}`;
    this.#writes.set(value, {
      kind: "write",
      client,
      call,
      key,
      value,
      version: undefined,
      invoked: Number(invoked),
      returned: Number.POSITIVE_INFINITY,
    });
  }

  #wrote(value: string, [version = "", returned = ""]: readonly string[]): void {
    const write = this.#writes.get(value);
    if (write === undefined) throw new RangeError(`write ${value} ended and had not begun`);
    write.version = Number(version);
    write.returned = Number(returned);
  }

  #read(client: string, call: number, fields: readonly string[]): void {
    const [key = "", version = "", by = "", invoked = "", returned = ""] = fields;
    this.#reads.push({
      kind: "read",
      client,
      call,
      key,
      version: Number(version),
      value: by === "-" ? undefined : by,
      invoked: Number(invoked),
      returned: Number(returned),
    });
  }
}

/**
 * The writes that were answered, in the order in which they were applied, numbered by client and
 * key in the order in which they were called.
 */
function appliedOrder(writes: readonly Write[]): OrderedEvent[] {
  const answered = writes.filter(({ version }) => version !== undefined);
  const numbers = new Map<Write, number>();
  const counts = new Map<string, number>();
  for (const write of [...answered].sort((one, other) => one.call - other.call)) {
    const sender = `${write.client} ${write.key}`;
    const number = (counts.get(sender) ?? 0) + 1;
    counts.set(sender, number);
    numbers.set(write, number);
  }
  return answered
    .sort((one, other) => (one.version ?? 0) - (other.version ?? 0))
    .map((write) => ({ sender: write.client, key: write.key, number: numbers.get(write) ?? 0 }));
}
