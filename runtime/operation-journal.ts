// Operation journal — the store operations of one run of a node, numbered, so that another run of
// the same node invocation repeats none of them.
//
// A write carries its operation id; its owner records the reply in the frame of the effects. What
// the node has read since then travels with its next write and is recorded there: a run after a
// crash gets the same answers up to the last write that took effect, and so asks for the same
// writes again, whose recorded replies it gets.
//
//   reads  [index u32][digest u32][status u8][length u32][bytes], again and again
//
// Owns: numbers, what is replayed, which reads travel. Leaves to others: asking owners for the
// records of earlier runs (TaskPort.recall), the records (call-records.ts).
//
// Invariants:
//   J1. The n-th operation of a node has the number n in every run, if the node does the same.
//   J2. A recorded reply is given only to an operation with the same digest; any other operation at
//       its number is a new one.
//   J3. A read travels with every write until one that carried it is known to be durable: whichever
//       of several writes under way took effect, it brought along what led to it.
//   J4. Reads beyond `operationReadBytesMax` bytes between two writes are not recorded.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { limits } from "../base/limits.js";
import { decodeRecord } from "./call-records.js";
import { operationId, operationIndex } from "./operation-id.js";
import {
  noBytes,
  type Reply,
  type Stamp,
  type Status,
  stampKind,
  status,
} from "./lane-encoding.js";

/** A call record as `TaskPort.recall` finds it. */
export interface RecalledRow {
  readonly task: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface Recorded {
  readonly digest: number;
  readonly reply: Reply;
}

interface PendingRead {
  readonly bytes: Uint8Array;
}

/** One operation's place in the journal. */
export interface JournalStep {
  readonly index: number;
  readonly known: Reply | undefined;
}

export class OperationJournal {
  readonly #prefix: Uint8Array;
  #next = 0;
  /** By number: what earlier runs did there. */
  #recorded: Map<number, Recorded[]> | undefined;
  #reads: PendingRead[] = [];
  #readBytes = 0;
  /** By task: numbers of operations that may have a record there. */
  readonly #touched = new Map<number, number[]>();

  /** `prefix`: the node invocation (operation-id.ts). */
  constructor(prefix: Uint8Array) {
    this.#prefix = prefix;
  }

  get prefix(): Uint8Array {
    return this.#prefix;
  }

  /** Where records of this node invocation may be: to be forgotten when it is done. */
  get touched(): ReadonlyMap<number, readonly number[]> {
    return this.#touched;
  }

  /** An earlier run may have begun: what it recorded is replayed. Before the first operation. */
  replay(rows: readonly RecalledRow[]): void {
    const recorded = new Map<number, Recorded[]>();
    const add = (index: number, record: Recorded): void => {
      recorded.set(index, [...(recorded.get(index) ?? []), record]);
    };
    for (const { task, key, value } of rows) {
      const index = operationIndex(key);
      const { reads, ...record } = decodeRecord(value);
      add(index, record);
      this.#touch(task, index);
      const reader = new ByteReader(reads);
      while (!reader.done) {
        const at = reader.u32();
        const readDigest = reader.u32();
        // cast: `#note` wrote a status.
        const outcome = reader.u8() as Status;
        const reply = { status: outcome, bytes: reader.lengthPrefixed() };
        add(at, { digest: readDigest, reply });
      }
    }
    this.#recorded = recorded;
  }

  /** Takes the next number; `known` is the recorded reply, if an earlier run did the same there. */
  claim(digest: number): JournalStep {
    const index = this.#next;
    this.#next += 1;
    return { index, known: this.#known(index, digest) };
  }

  /** The number that is taken next. */
  get next(): number {
    return this.#next;
  }

  /** Whether there may be records of earlier runs. */
  get isReplayed(): boolean {
    return this.#recorded !== undefined && this.#recorded.size > 0;
  }

  /** What an earlier run has recorded for an operation, `ahead` places behind those taken. */
  earlier(ahead: number, digest: number): Reply | undefined {
    return this.#known(this.#next + ahead, digest);
  }

  /** What earlier runs have recorded for an operation, wherever. */
  allEarlier(digest: number): readonly Reply[] {
    const found: Reply[] = [];
    for (const index of this.#recorded?.keys() ?? []) {
      const known = this.#known(index, digest);
      if (known !== undefined) found.push(known);
    }
    return found;
  }

  /** A place that was claimed will be recorded by `task`, without being asked to. */
  expect(task: number, { index, known }: JournalStep): void {
    if (known === undefined) this.#touch(task, index);
  }

  /**
   * A write to `task`: the recorded reply, or what `send` gets. The stamp goes with the request.
   */
  write(
    task: number,
    { index, known }: JournalStep,
    send: (stamp: Stamp) => Promise<Reply>,
  ): Promise<Reply> {
    if (known !== undefined) {
      // Its record holds what was read before it.
      this.#reads = [];
      this.#readBytes = 0;
      return Promise.resolve(known);
    }
    this.#touch(task, index);
    const carried = this.#reads;
    const kind = this.#recorded === undefined ? stampKind.first : stampKind.again;
    const stamp = { kind, id: operationId(this.#prefix, index), reads: joined(carried) };
    const sent = send(stamp);
    if (carried.length === 0) return sent;
    return sent.then((reply) => {
      // A refused write has recorded nothing: what was read before it travels on.
      if (reply.status !== status.error) this.#settled(carried);
      return reply;
    });
  }

  /** A read: the recorded answer, or what `look` finds, which is recorded with the next write. */
  async read(digest: number, look: () => Promise<Reply>): Promise<Reply> {
    const { index, known } = this.claim(digest);
    const found = known ?? (await look());
    this.#note(index, digest, found);
    return found;
  }

  /** A read that is there at once. */
  readNow(digest: number, look: () => Uint8Array): Uint8Array {
    const { index, known } = this.claim(digest);
    const bytes = known?.bytes ?? look();
    this.#note(index, digest, { status: status.ok, bytes });
    return bytes;
  }

  #known(index: number, digest: number): Reply | undefined {
    return this.#recorded?.get(index)?.find((record) => record.digest === digest)?.reply;
  }

  #note(index: number, digest: number, reply: Reply): void {
    const bytes = new ByteWriter(16 + reply.bytes.length);
    bytes.u32(index);
    bytes.u32(digest);
    bytes.u8(reply.status);
    bytes.lengthPrefixed(reply.bytes);
    if (this.#readBytes + bytes.length > limits.operationReadBytesMax) return;
    this.#reads = [...this.#reads, { bytes: bytes.finish() }];
    this.#readBytes += bytes.length;
  }

  #settled(carried: readonly PendingRead[]): void {
    const durable = new Set(carried);
    this.#reads = this.#reads.filter((read) => !durable.has(read));
    this.#readBytes = this.#reads.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  #touch(task: number, index: number): void {
    const indexes = this.#touched.get(task);
    if (indexes === undefined) this.#touched.set(task, [index]);
    else indexes.push(index);
  }
}

function joined(reads: readonly PendingRead[]): Uint8Array {
  if (reads.length === 0) return noBytes;
  const writer = new ByteWriter();
  for (const { bytes } of reads) writer.bytes(bytes);
  return writer.finish();
}
