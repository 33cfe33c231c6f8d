// Stream rows — how marks, outbox rows and the numbers of streams are kept.
//
//   marks       [epoch u32][source u16]                    → [applied u64]
//   outbox      [epoch u32][destination u16][number u64]   → message
//   outboxMeta  [epoch u32][destination u16]               → [next u64][acknowledged u64]
//                                                            [trimmed u64]
//
// Integers of keys are big-endian. Part of the on-disk format.
// Owns: these layouts, and the refusal of rows that cannot be. Leaves to others: what the numbers
// mean (marks.ts, outbox.ts).
//
// Invariants:
//   X1. Rows are of the directory's epoch: streams of another one have been drained and deleted.
//   X2. Rows `acknowledged + 1 … next - 1` of a stream exist: looked at when a task is opened, each
//       of them after a stop that was not orderly.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { hashKey } from "../store/key-hash.js";
import type { RecordWrite, StoredRow, TableId, TaskStorage } from "../store/storage.js";
import { systemTable } from "./system-table.js";

/** What is kept of a stream beside its rows. */
export interface StreamNumbers {
  readonly destination: number;
  /** Number of the next message. */
  readonly next: number;
  /** Newest number that the destination has said to be durable there. */
  readonly acknowledged: number;
  /** Newest number whose row was deleted; rows up to `acknowledged` are about to be. */
  readonly trimmed: number;
}

/** Key of a mark, or of a stream's numbers: `peer` is the source, or the destination. */
export function peerKey(epoch: number, peer: number): Uint8Array {
  const key = new Uint8Array(6);
  putU32(key, 0, epoch);
  key[4] = peer >>> 8;
  key[5] = peer;
  return key;
}

/** Bytes of the key of a message's row. */
export const messageKeyBytes = 14;

/** Key of a message's row. */
export function messageKey(epoch: number, destination: number, sequence: number): Uint8Array {
  const key = new Uint8Array(messageKeyBytes);
  putU32(key, 0, epoch);
  key[4] = destination >>> 8;
  key[5] = destination;
  putU32(key, 6, Math.floor(sequence / 2 ** 32));
  putU32(key, 10, sequence);
  return key;
}

/** Without a DataView, which costs more than the key (operation-id.ts). */
function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** The record of a row of these tables. */
export function streamRecord(
  table: TableId,
  key: Uint8Array,
  value: Uint8Array | undefined,
  fresh: boolean,
  version: number,
): RecordWrite {
  return { table, key, keyHash: hashKey(key), version, value, fresh };
}

/** Marks by source, as committed. */
export function readMarks(storage: TaskStorage): ReadonlyMap<number, number> {
  const marks = new Map<number, number>();
  for (const row of storage.page(systemTable.marks, {}, limits.tasksMax)) {
    marks.set(peerOf(row), new ByteReader(row.value).uint64());
  }
  return marks;
}

export function encodeMark(applied: number): Uint8Array {
  const value = new ByteWriter(8);
  value.uint64(applied);
  return value.finish();
}

/** The numbers of every stream, as committed. */
export function readStreams(storage: TaskStorage): readonly StreamNumbers[] {
  return storage.page(systemTable.outboxMeta, {}, limits.tasksMax).map((row) => {
    const reader = new ByteReader(row.value);
    const [next, acknowledged, trimmed] = [reader.uint64(), reader.uint64(), reader.uint64()];
    return { destination: peerOf(row), next, acknowledged, trimmed };
  });
}

export function encodeNumbers({ next, acknowledged, trimmed }: StreamNumbers): Uint8Array {
  const value = new ByteWriter(24);
  value.uint64(next);
  value.uint64(acknowledged);
  value.uint64(trimmed);
  return value.finish();
}

/**
 * Refuses what no run of this epoch can have left (X1, X2).
 * @throws PartitaError STORE_CORRUPT, naming the row
 */
export function checkStreamRows(
  taskId: number,
  storage: TaskStorage,
  epoch: number,
  unclean: boolean,
): void {
  // Messages are found through these rows alone; a look at theirs would sort all that is in memory.
  for (const table of [systemTable.marks, systemTable.outboxMeta]) {
    for (const { key } of storage.page(table, {}, limits.tasksMax)) {
      const found = viewOf(key).getUint32(0);
      if (found === epoch) continue;
      const reason = `table ${table} has a row of epoch ${found}, the directory is of ${epoch}`;
      throw new PartitaError("STORE_CORRUPT", { taskId, reason });
    }
  }
  for (const stream of readStreams(storage)) {
    for (const sequence of unclean ? outstanding(stream) : sample(stream)) {
      const key = messageKey(epoch, stream.destination, sequence);
      if (storage.get(systemTable.outbox, key, hashKey(key)) !== undefined) continue;
      const { destination, next, acknowledged } = stream;
      const reason =
        `outbox row ${taskId}->${destination}:${sequence} is missing; ` +
        `${acknowledged} are acknowledged, ${next - 1} were sent`;
      throw new PartitaError("STORE_CORRUPT", { taskId, reason });
    }
  }
}

function* outstanding({ next, acknowledged }: StreamNumbers): Generator<number> {
  for (let sequence = acknowledged + 1; sequence < next; sequence += 1) yield sequence;
}

/** The first, the last, and some between. */
function* sample({ next, acknowledged }: StreamNumbers): Generator<number> {
  const count = next - 1 - acknowledged;
  const looks = Math.min(count, limits.outboxSampleRows);
  for (let look = 0; look < looks; look += 1) {
    yield acknowledged + 1 + Math.floor((look * (count - 1)) / Math.max(looks - 1, 1));
  }
}

function peerOf(row: StoredRow): number {
  return viewOf(row.key).getUint16(4);
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
