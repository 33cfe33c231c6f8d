// Call records — the durable replies of calls that carried an id: none is carried out twice.
//
// A record is a row in the frame that holds the call's effects: after a crash either both are there
// or neither is. Two kinds: calls of clients (an id of their choice, call-id.ts) are kept for a
// time and up to a number; store operations of nodes (an operation id) until the node is done.
//
//   row    [digest u32][status u8][reply length u32][reply][reads]
//   marks  row of table `calls` with a key of one byte: [floor, 16 bytes][count u64]
//
// Owns: these rows, what is known of an id, and which are forgotten. Leaves to others: applying
// calls (requests.ts), what a node replays (operation-journal.ts).
//
// Invariants:
//   K1. A record is written in the frame that holds the effects of its call; a refused call, which
//       has none, leaves none.
//   K2. No client's id at or below `floor` without a record is carried out, nor one older than the
//       retention: ID_EXPIRED. The floor only rises: it is the newest id whose record was deleted.
//   K3. At most `recordsMax` records of clients are kept, and a frame's worth beyond.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { checksum } from "../store/checksum.js";
import type { TaskStorage } from "../store/storage.js";
import { callIdBytes, callIdMs, formatCallId } from "./call-id.js";
import type { Overlay } from "./overlay.js";
import {
  noBytes,
  operation,
  type Reply,
  type Request,
  type Stamp,
  type Status,
  stampKind,
  status,
} from "./lane-encoding.js";
import { systemTable } from "./system-table.js";

/** How long and how many replies to calls of clients are kept. */
export interface CallRetention {
  readonly retentionMs: number;
  readonly recordsMax: number;
}

const retentionDefault: CallRetention = {
  retentionMs: limits.callRetentionMs,
  recordsMax: limits.callRecordsMax,
};

const marksKey = Uint8Array.of(0);
const noId = new Uint8Array(callIdBytes);

export class CallRecords {
  readonly #overlay: Overlay;
  readonly #retention: CallRetention;
  readonly #now: () => number;
  /** Newest client's id whose record is gone. */
  #floor: Uint8Array = noId;
  /** No committed record of a client is older: where deleting begins. */
  #oldest: Uint8Array = noId;
  /** Of those that the batch in hand has made. */
  #oldestInHand: Uint8Array | undefined;
  #count = 0;
  #changed = false;
  #agesCheckedMs = 0;
  /**
   * A run that says it is the first may not be: its task may have forgotten one that this task
   * knows, in a power cut in a weak mode.
   */
  readonly #mayBeForgotten: boolean;

  constructor(
    storage: TaskStorage,
    overlay: Overlay,
    now: () => number,
    retention: CallRetention = retentionDefault,
    mayBeForgotten = false,
  ) {
    this.#overlay = overlay;
    this.#retention = retention;
    this.#now = now;
    this.#mayBeForgotten = mayBeForgotten;
    const [marks] = storage.page(systemTable.calls, { to: Uint8Array.of(1) }, 1);
    if (marks === undefined || marks.key.length !== marksKey.length) return;
    const reader = new ByteReader(marks.value);
    this.#floor = reader.bytes(callIdBytes).slice();
    this.#count = reader.uint64();
  }

  /**
   * What was replied to this call before; `undefined` when it is to be carried out. `digest` says
   * which call the id stands for.
   * @throws PartitaError ID_REUSED, ID_EXPIRED: only for ids of clients
   */
  find(stamp: Stamp, digest: number): Reply | undefined {
    if (this.#isFirst(stamp)) return undefined;
    const isCall = stamp.kind === stampKind.call;
    const table = isCall ? systemTable.calls : systemTable.operations;
    const bytes = this.#overlay.encoded(this.#overlay.row(table, stamp.id));
    if (bytes === undefined) {
      if (isCall) this.#assertKnowable(stamp.id);
      return undefined;
    }
    const record = decodeRecord(bytes);
    if (record.digest === digest) return record.reply;
    if (isCall) throw new PartitaError("ID_REUSED", { id: formatCallId(stamp.id) });
    // The run before did something else at this place: the operation is a new one.
    return undefined;
  }

  /**
   * Records a call's reply in the frame in hand.
   * @throws PartitaError VALUE_TOO_LARGE, with nothing recorded
   */
  remember(stamp: Stamp, digest: number, reply: Reply): void {
    const row = encodeRecord(digest, reply, stamp.reads);
    if (stamp.kind !== stampKind.call) {
      this.#overlay.record(systemTable.operations, stamp.id, row, this.#isFirst(stamp));
      return;
    }
    this.#overlay.record(systemTable.calls, stamp.id, row, false);
    const oldest = this.#oldestInHand;
    if (oldest === undefined || Buffer.compare(stamp.id, oldest) < 0) {
      this.#oldestInHand = stamp.id.slice();
    }
    this.#count += 1;
    this.#changed = true;
  }

  /** Records the outcome of a node's operation that no request asked for, in the frame in hand. */
  record(operationId: Uint8Array, digest: number, outcome: Uint8Array): void {
    const row = encodeRecord(digest, { status: status.ok, bytes: outcome }, noBytes);
    this.#overlay.record(systemTable.operations, operationId, row, false);
  }

  /** No operation of this id was carried out before, for certain. */
  #isFirst(stamp: Stamp): boolean {
    return stamp.kind === stampKind.first && !this.#mayBeForgotten;
  }

  /** Deletes the record of a node's operation in the frame in hand. */
  forget(operationId: Uint8Array): void {
    const row = this.#overlay.row(systemTable.operations, operationId);
    if (row.present) this.#overlay.remove(row);
  }

  /** Once for each batch, before its rows are collected: deletes what is too old or too many. */
  endBatch(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.#trim();
    // Behind it: what was deleted may have been newer than what this batch has made.
    const oldest = this.#oldestInHand;
    if (oldest !== undefined && Buffer.compare(oldest, this.#oldest) < 0) this.#oldest = oldest;
    this.#oldestInHand = undefined;
    const marks = new ByteWriter(callIdBytes + 8);
    marks.bytes(this.#floor);
    marks.uint64(this.#count);
    this.#overlay.setBytes(this.#overlay.row(systemTable.calls, marksKey), marks.finish());
  }

  #assertKnowable(id: Uint8Array): void {
    const { retentionMs } = this.#retention;
    const isOld = callIdMs(id) < this.#now() - retentionMs;
    if (!isOld && Buffer.compare(id, this.#floor) > 0) return;
    throw new PartitaError("ID_EXPIRED", { id: formatCallId(id), retentionMs });
  }

  /** Only committed records are candidates: those of the batch in hand are looked at later. */
  #trim(): void {
    const nowMs = this.#now();
    const beyond = this.#count - this.#retention.recordsMax;
    const isTime = nowMs - this.#agesCheckedMs >= this.#retention.retentionMs / 64;
    if (beyond <= 0 && !isTime) return;
    this.#agesCheckedMs = nowMs;
    const limitMs = nowMs - this.#retention.retentionMs;
    let deleted = 0;
    for (const key of this.#committedFrom(this.#oldest)) {
      this.#oldest = key;
      const isDue = deleted < beyond || callIdMs(key) < limitMs;
      if (!isDue || deleted === limits.callTrimRowsMax) break;
      this.#overlay.remove(this.#overlay.row(systemTable.calls, key));
      deleted += 1;
      if (Buffer.compare(key, this.#floor) > 0) this.#floor = key;
    }
    this.#count -= deleted;
  }

  /** Ids of committed records, oldest first; pages of large replies hold few. */
  *#committedFrom(first: Uint8Array): Generator<Uint8Array> {
    for (let from = first; ; ) {
      const rows = this.#overlay.page(systemTable.calls, { from }, limits.callTrimRowsMax);
      for (const { key } of rows) {
        assert(key.length === callIdBytes, "the table of calls has ids behind its marks");
        yield key;
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      from = new Uint8Array(last.key.length + 1);
      from.set(last.key);
    }
  }
}

/**
 * Which call a request is: equal for equal calls. Of a `replace` and a `note`, and of a program's
 * message that has a name, the key alone counts: what they carry says what was read or done before,
 * which another run cannot always repeat.
 */
export function callDigest(call: Pick<Request, "kind" | "table" | "key" | "argument">): number {
  const { kind, table, key, argument } = call;
  const isNamed = kind === operation.program && key.length > 0;
  const isKeyOnly = kind === operation.replace || kind === operation.note || isNamed;
  const writer = digestWriter;
  writer.reset();
  writer.u8(kind);
  writer.u16(table);
  writer.u32(checksum(key));
  writer.u32(checksum(isKeyOnly ? noBytes : argument));
  return checksum(writer.view());
}

const digestWriter = new ByteWriter(16);

/** A row of either table. What it returns are views of `bytes`. */
export function decodeRecord(bytes: Uint8Array): {
  readonly digest: number;
  readonly reply: Reply;
  readonly reads: Uint8Array;
} {
  const reader = new ByteReader(bytes);
  const digest = reader.u32();
  // cast: encodeRecord wrote a status.
  const outcome = reader.u8() as Status;
  const reply = { status: outcome, bytes: reader.lengthPrefixed() };
  return { digest, reply, reads: reader.rest() };
}

function encodeRecord(digest: number, reply: Reply, reads: Uint8Array): Uint8Array {
  const writer = recordWriter;
  writer.reset();
  writer.u32(digest);
  writer.u8(reply.status);
  writer.lengthPrefixed(reply.bytes);
  writer.bytes(reads);
  // The overlay copies it at once.
  return writer.view();
}

const recordWriter = new ByteWriter(1_024);
