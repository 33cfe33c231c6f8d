// Turn — one message's view of the batch it is applied in: what a program may do (task-program.ts).
//
// Owns: buffering notices, messages to the task itself and work for the end of the batch until the
// message has been applied, so that a throw leaves nothing. Leaves to others: rows (overlay.ts),
// messages to other tasks (outbox.ts).
// Invariants: G1, G2 and G4 of task-program.ts.

import { assert } from "../base/invariant.js";
import { keptAs } from "../base/kept-bytes.js";
import type { TableId } from "../store/storage.js";
import type { Batch } from "./batch.js";
import { type CallRecords, callDigest } from "./call-records.js";
import { noBytes, operation, stampKind, status } from "./lane-encoding.js";
import type { Outbox } from "./outbox.js";
import type { Overlay } from "./overlay.js";
import type { MessageOrigin, OwnWork, Turn } from "./task-program.js";

/** What a turn changes. */
export interface TurnParts {
  readonly overlay: Overlay;
  readonly outbox: Outbox;
  readonly calls: CallRecords;
}

export class TaskTurn implements Turn {
  origin: MessageOrigin;
  readonly #task: number;
  readonly #overlay: Overlay;
  readonly #outbox: Outbox;
  readonly #calls: CallRecords;
  readonly #batch: Batch;
  /** Made when they are needed: most messages have none of these. */
  #own: (Uint8Array | OwnWork)[] | undefined;
  #notices: { readonly thread: number; readonly notice: Uint8Array }[] | undefined;
  #lastly: OwnWork[] | undefined;
  #ended = false;

  constructor(task: number, origin: MessageOrigin, parts: TurnParts, batch: Batch) {
    this.#task = task;
    this.origin = origin;
    this.#overlay = parts.overlay;
    this.#outbox = parts.outbox;
    this.#calls = parts.calls;
    this.#batch = batch;
  }

  get(table: TableId, key: Uint8Array): Uint8Array | undefined {
    this.#assertAlive();
    return this.#overlay.encoded(this.#overlay.row(table, key));
  }

  put(table: TableId, key: Uint8Array, value: Uint8Array, fresh = false): void {
    this.#assertAlive();
    // A part of a packet must not keep the packet.
    const bytes = keptAs(value);
    if (fresh) this.#overlay.adopt(table, key, bytes, true);
    else this.#overlay.adoptBytes(this.#overlay.row(table, key), bytes);
  }

  delete(table: TableId, key: Uint8Array): void {
    this.#assertAlive();
    const row = this.#overlay.row(table, key);
    if (row.present) this.#overlay.remove(row);
  }

  send(task: number, message: Uint8Array): void {
    this.#assertAlive();
    if (task !== this.#task) this.#outbox.stage(task, message);
    else this.#addOwn(message);
  }

  sendOwn(apply: OwnWork): void {
    this.#assertAlive();
    this.#addOwn(apply);
  }

  lastly(apply: OwnWork): void {
    this.#assertAlive();
    this.#lastly ??= [];
    this.#lastly.push(apply);
  }

  forgetOperation(id: Uint8Array): void {
    this.#assertAlive();
    this.#calls.forget(id);
  }

  recordOperation(id: Uint8Array, digest: number, outcome: Uint8Array): void {
    this.#assertAlive();
    this.#calls.record(id, digest, outcome);
  }

  once(call: Uint8Array, message: Uint8Array, apply: () => void): void {
    this.#assertAlive();
    const stamp = { kind: stampKind.call, id: call, reads: noBytes };
    const request = { kind: operation.program, table: 0, key: noBytes, argument: message };
    const digest = callDigest(request);
    if (this.#calls.find(stamp, digest) !== undefined) return;
    apply();
    this.#calls.remember(stamp, digest, { status: status.ok, bytes: noBytes });
  }

  notify(thread: number, notice: Uint8Array): void {
    this.#assertAlive();
    this.#notices ??= [];
    this.#notices.push({ thread, notice });
  }

  afterCommit(action: () => void): void {
    this.#assertAlive();
    this.#batch.actions.push(action);
  }

  /** The oldest message to the task itself that was not applied yet. */
  takeOwn(): Uint8Array | OwnWork | undefined {
    return this.#own?.shift();
  }

  /** The message is applied: its notices join the batch. */
  end(): void {
    this.#ended = true;
    if (this.#lastly !== undefined) this.#batch.lastly.push(...this.#lastly);
    if (this.#notices === undefined) return;
    for (const { thread, notice } of this.#notices) {
      const body = this.#batch.noticesTo(thread);
      body.u32(notice.length);
      body.bytes(notice);
    }
  }

  /** The message threw. */
  discard(): void {
    this.#ended = true;
  }

  #addOwn(work: Uint8Array | OwnWork): void {
    this.#own ??= [];
    this.#own.push(work);
  }

  #assertAlive(): void {
    assert(!this.#ended, "a turn was used after its message had been applied");
  }
}
