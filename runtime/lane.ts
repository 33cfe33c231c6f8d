// Lane — one thread's way to one task: requests go out in order, replies come back in that order.
//
// Owns: the bytes not flushed yet, the window that bounds what is on the way, and what becomes of
// callers when the task is gone. Leaves to others: when to flush and how bytes travel (host.ts),
// which lane (router), what requests mean (store-operations.ts), the ring of callers
// (caller-ring.ts), those that wait for room (waiting-callers.ts), which writes are on the way
// (pending-writes.ts), what callers get of a reply (settle.ts).
//
// Invariants:
//   L1. Requests leave in the order of the calls; a caller that waits for room keeps its place.
//   L2. The n-th reply belongs to the n-th request: replies carry no ids.
//   L3. At most `messagesMax` requests and about `bytesMax` bytes are on the way; callers beyond
//       that wait, as many as there is room for, or are refused at once with MAILBOX_FULL when
//       asked so.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { InvariantViolation } from "../base/invariant.js";
import { CallerRing } from "./caller-ring.js";
import {
  type Operation,
  type Reply,
  requestHeaderBytes,
  type Stamp,
  type Status,
  stampBytes,
  writeRequest,
  writeRequestHead,
} from "./lane-encoding.js";
import { PendingWrites } from "./pending-writes.js";
import type { RequestDraft } from "./request-draft.js";
import { type Judge, replyOf, type Settle, settled, takeCaptured, unsettled } from "./settle.js";
import { type WaitingCaller, WaitingCallers } from "./waiting-callers.js";

/** How a lane bounds what is on the way. */
export interface LaneBounds {
  readonly messagesMax: number;
  readonly bytesMax: number;
  readonly whenFull: "wait" | "reject";
}

export class Lane {
  readonly task: number;
  readonly #bounds: LaneBounds;
  /** Tells the host that there are bytes to flush. */
  readonly #dirty: (lane: Lane) => void;
  readonly #sent: CallerRing;
  readonly #waiting = new WaitingCallers();
  readonly #writes = new PendingWrites();
  #bytesOnTheWay = 0;
  #body = new ByteWriter();
  #flushWanted = false;
  #lost: Error | undefined;
  /** Of those who send again what was lost. */
  #reopening: PromiseWithResolver | undefined;

  constructor(task: number, bounds: LaneBounds, dirty: (lane: Lane) => void) {
    this.task = task;
    this.#bounds = bounds;
    this.#dirty = dirty;
    this.#sent = new CallerRing(bounds.messagesMax);
  }

  /** Callers that have no reply yet. */
  get pending(): number {
    return this.#sent.length + this.#waiting.length;
  }

  /** Writes of this thread on the way to this task, whatever the key. */
  get writes(): number {
    return this.#writes.total;
  }

  /** Writes of this thread on the way that may be to this key. */
  pendingWrites(keyHash: number): number {
    return this.#writes.of(keyHash);
  }

  /**
   * Sends a request; resolves with its reply after the task's gate. `argument` is copied at once,
   * `key` and what the stamp holds when there is room.
   * @throws PartitaError MAILBOX_FULL, or the error the lane was lost with
   */
  request(
    kind: Operation,
    table: number,
    key: Uint8Array,
    keyHash: number,
    argument: Uint8Array,
    stamp?: Stamp,
  ): Promise<Reply> {
    return this.call(kind, table, key, keyHash, argument, replyOf, stamp);
  }

  /** The same; resolves with what `judge` makes of the reply. */
  call<T>(
    kind: Operation,
    table: number,
    key: Uint8Array,
    keyHash: number,
    argument: Uint8Array,
    judge: Judge<T>,
    stamp?: Stamp,
  ): Promise<T> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const bytes = requestHeaderBytes + key.length + argument.length + stampBytes(stamp);
    if (this.#mustWait) {
      if (!this.#mayWait(1, bytes)) return Promise.reject(this.#fullError());
      const copy = argument.slice();
      return this.#wait({
        operation: kind,
        keyHash,
        bytes,
        judge,
        table,
        key,
        argument: copy,
        stamp,
      });
    }
    const promise = unsettled<T>();
    this.#writes.count(kind, keyHash, 1);
    this.#enter(kind, keyHash, bytes, judge, takeCaptured());
    writeRequest(this.#body, kind, table, key, argument, stamp);
    return promise;
  }

  /** The same for a key and an argument that stand in a draft; they are copied at once. */
  callDraft<T>(
    kind: Operation,
    table: number,
    draft: RequestDraft,
    keyHash: number,
    judge: Judge<T>,
    stamp: Stamp | undefined,
  ): Promise<T> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const { bytes: drafted, keyBytes } = draft;
    const bytes = requestHeaderBytes + drafted.length + stampBytes(stamp);
    if (this.#mustWait) {
      if (!this.#mayWait(1, bytes)) return Promise.reject(this.#fullError());
      const [key, argument] = [draft.key(), draft.argument()];
      return this.#wait({ operation: kind, keyHash, bytes, judge, table, key, argument, stamp });
    }
    const promise = unsettled<T>();
    this.#writes.count(kind, keyHash, 1);
    this.#enter(kind, keyHash, bytes, judge, takeCaptured());
    const body = this.#body;
    writeRequestHead(body, kind, table, keyBytes, drafted.length - keyBytes, stamp);
    body.slice(drafted.buffer, 0, drafted.length);
    return promise;
  }

  /**
   * Refuses now what `request` would refuse of so many requests, so that a call which needs several
   * sends all of them or none. Holds until the caller lets go of the thread.
   * @throws PartitaError MAILBOX_FULL, or the error the lane was lost with
   */
  assertRoom(requests: number, bytes: number): void {
    if (this.#lost !== undefined) throw this.#lost;
    const { messagesMax, bytesMax } = this.#bounds;
    const isAlone = requests === 1 && !this.#full;
    const isWithin =
      this.#sent.length + requests <= messagesMax && this.#bytesOnTheWay + bytes <= bytesMax;
    if (this.#waiting.length === 0 && (isAlone || isWithin)) return;
    // As if all of them had to wait: some may be sent, but how many says only the sending.
    if (!this.#mayWait(requests, bytes)) throw this.#fullError();
  }

  /** The requests body since the last flush. */
  takeBody(): Uint8Array {
    this.#flushWanted = false;
    const body = this.#body.finish();
    this.#body.reset();
    return body;
  }

  /**
   * Gives the replies of a section to their callers, oldest first. Drops those of a lost lane: the
   * task can be alive and answer when everybody has been told already, as when a close is forced.
   */
  receive(body: Uint8Array): void {
    if (this.#lost !== undefined) return;
    const sent = this.#sent;
    const reader = new ByteReader(body);
    while (!reader.done) {
      // cast: the status byte was written by writeReply.
      const kind = reader.u8() as Status;
      const length = reader.u32();
      const start = reader.offset;
      reader.skip(length);
      // Not `assert` with a message: no closure is made for each reply.
      if (sent.length === 0) throw this.#noRequest();
      this.#bytesOnTheWay -= sent.bytes;
      this.#writes.count(sent.operation, sent.keyHash, -1);
      // Out of the ring first: what a class decodes with may call again.
      const { judge } = sent;
      settled(sent.shift(), judge, kind, body, start, start + length);
    }
    while (!this.#full) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#enter(next.operation, next.keyHash, next.bytes, next.judge, next.settle);
      writeRequest(this.#body, next.operation, next.table, next.key, next.argument, next.stamp);
    }
  }

  /** The task is gone: everybody who waits is told, and later callers too until `reopen`. */
  lose(error: Error): void {
    this.#lost = error;
    const gone = Promise.reject(error);
    // Nobody may be waiting.
    gone.catch(() => {});
    for (const sent = this.#sent; sent.length > 0; ) {
      this.#writes.count(sent.operation, sent.keyHash, -1);
      sent.shift()(gone);
    }
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#writes.count(next.operation, next.keyHash, -1);
      next.settle(gone);
    }
    this.#bytesOnTheWay = 0;
    this.#body.reset();
    if (PartitaError.is(error, "TASK_EXITED")) return;
    this.#reopening?.reject(error);
    this.#reopening = undefined;
  }

  /**
   * Counts a request that is sent until it is answered, over the death of the task, as one that is
   * on the way, until what is returned is called: reads of its key go behind it (L4 of
   * pending-writes.ts).
   */
  hold(kind: Operation, keyHash: number): () => void {
    this.#writes.count(kind, keyHash, 1);
    return () => this.#writes.count(kind, keyHash, -1);
  }

  /** The task was started again. */
  reopen(): void {
    this.#lost = undefined;
    this.#reopening?.resolve();
    this.#reopening = undefined;
  }

  /**
   * Resolves when the task takes requests, at once unless the lane is lost; rejects with the reason
   * when it never will again. Those who wait go on in the order in which they came.
   */
  async reopened(): Promise<void> {
    if (this.#lost === undefined) return;
    if (!PartitaError.is(this.#lost, "TASK_EXITED")) throw this.#lost;
    this.#reopening ??= promiseWithResolver();
    await this.#reopening.promise;
  }

  get #mustWait(): boolean {
    return this.#full || this.#waiting.length > 0;
  }

  get #full(): boolean {
    return (
      this.#sent.length >= this.#bounds.messagesMax || this.#bytesOnTheWay >= this.#bounds.bytesMax
    );
  }

  #mayWait(requests: number, bytes: number): boolean {
    return this.#bounds.whenFull === "wait" && this.#waiting.hasRoom(requests, bytes);
  }

  /** A request is about to be written behind what will be flushed next. */
  #enter(
    kind: Operation,
    keyHash: number,
    bytes: number,
    judge: Judge<unknown>,
    settle: Settle,
  ): void {
    this.#sent.push(kind, keyHash, bytes, judge, settle);
    this.#bytesOnTheWay += bytes;
    if (this.#flushWanted) return;
    this.#flushWanted = true;
    this.#dirty(this);
  }

  #wait<T>(request: Omit<WaitingCaller, "settle"> & { readonly judge: Judge<T> }): Promise<T> {
    const promise = unsettled<T>();
    this.#writes.count(request.operation, request.keyHash, 1);
    this.#waiting.push({ ...request, settle: takeCaptured() });
    return promise;
  }

  #noRequest(): InvariantViolation {
    return new InvariantViolation(`task ${this.task} replied to no request`);
  }

  #fullError(): PartitaError {
    return new PartitaError("MAILBOX_FULL", {
      taskId: this.task,
      capacity: this.#bounds.messagesMax,
    });
  }
}

interface PromiseWithResolver {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function promiseWithResolver(): PromiseWithResolver {
  let resolve: () => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
