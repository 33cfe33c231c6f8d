// Batch of one harness task, and the turns of the messages in it (runtime/task-program.ts).

import type { MessageOrigin, OwnWork, TaskProgram, Turn } from "../../runtime/task-program.js";
import { calledOnce, forget, record, recorded } from "./program-records.js";
import { BatchRows, type CommittedRows } from "./program-rows.js";
import type { Received } from "./program-thread.js";

/** Everything that a batch has decided and not yet revealed. */
export class HarnessBatch {
  readonly rows: BatchRows;
  readonly marks = new Map<number, number>();
  readonly sends: { readonly destination: number; readonly message: Uint8Array }[] = [];
  readonly reveals: (() => void)[] = [];
  readonly actions: (() => void)[] = [];
  /** What is done behind all messages. */
  readonly lastly: OwnWork[] = [];

  constructor(committed: CommittedRows, rowBytesMax: number) {
    this.rows = new BatchRows(committed, rowBytesMax);
  }

  mark(): readonly number[] {
    return [this.rows.mark(), this.sends.length, this.reveals.length, this.actions.length];
  }

  rollback(mark: readonly number[]): void {
    const [rows = 0, sends = 0, reveals = 0, actions = 0] = mark;
    this.rows.rollback(rows);
    this.sends.length = sends;
    this.reveals.length = reveals;
    this.actions.length = actions;
  }
}

/** The turns of one message and of what it sends to the task itself. */
export class HarnessTurns {
  readonly #task: number;
  readonly #batch: HarnessBatch;
  readonly #notify: (thread: number, notice: Uint8Array) => void;
  readonly #own: (Uint8Array | OwnWork)[] = [];
  /** Belongs to the batch when the message is applied. */
  readonly #lastly: OwnWork[] = [];
  #ended = false;

  constructor(
    task: number,
    batch: HarnessBatch,
    notify: (thread: number, notice: Uint8Array) => void,
  ) {
    this.#task = task;
    this.#batch = batch;
    this.#notify = notify;
  }

  turn(origin: MessageOrigin): Turn {
    const rows = (): BatchRows => {
      if (this.#ended) throw new Error("a turn was used after its message had been applied");
      return this.#batch.rows;
    };
    return {
      origin,
      get: (table, key) => rows().get(table, key),
      put: (table, key, value, fresh = false) => rows().put(table, key, value, fresh),
      delete: (table, key) => rows().delete(table, key),
      send: (destination, message) => {
        rows();
        if (destination === this.#task) this.#own.push(message);
        else this.#batch.sends.push({ destination, message: message.slice() });
      },
      sendOwn: (apply) => {
        rows();
        this.#own.push(apply);
      },
      lastly: (apply) => {
        rows();
        this.#lastly.push(apply);
      },
      forgetOperation: (id) => forget(rows(), id),
      recordOperation: (id, digest, outcome) => record(rows(), id, digest, outcome),
      once: (call, message, apply) => calledOnce(rows(), call, message, apply),
      notify: (thread, notice) => {
        rows();
        this.#notify(thread, notice.slice());
      },
      afterCommit: (action) => {
        rows();
        this.#batch.actions.push(action);
      },
    };
  }

  /** The oldest message to the task itself that was not applied yet. */
  takeOwn(): Uint8Array | OwnWork | undefined {
    return this.#own.shift();
  }

  /** The message is applied, or was taken back: its turns are dead. */
  end(isApplied: boolean): void {
    this.#ended = true;
    if (isApplied) this.#batch.lastly.push(...this.#lastly);
  }
}

/** Applies a message, and what it sends to the task itself; what was recorded is not applied. */
export function applyOnce(
  program: TaskProgram,
  { rows }: HarnessBatch,
  turns: HarnessTurns,
  received: Received,
): Uint8Array {
  const { message, call } = received;
  if (call === undefined) return applied(program, rows, turns, received);
  let reply = new Uint8Array(0);
  calledOnce(rows, call, message, () => {
    reply = new Uint8Array(applied(program, rows, turns, received));
  });
  return reply;
}

function applied(
  program: TaskProgram,
  rows: BatchRows,
  turns: HarnessTurns,
  { origin, message, stamp, work }: Received,
): Uint8Array {
  const known = stamp === undefined ? undefined : recorded(rows, stamp);
  if (known !== undefined) return known.slice();
  const first = turns.turn(origin);
  work?.(first);
  const replied = work === undefined ? program.apply(first, message) : undefined;
  const reply = replied?.slice() ?? new Uint8Array(0);
  for (let own = turns.takeOwn(); own !== undefined; own = turns.takeOwn()) {
    const turn = turns.turn({ kind: "self" });
    if (typeof own === "function") own(turn);
    else program.apply(turn, own);
  }
  if (stamp !== undefined) record(rows, stamp.id, stamp.digest, reply, stamp.reads);
  return reply;
}
