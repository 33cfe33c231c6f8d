// System keys — rows of table 0, which the storage keeps for itself beside the runtime's own
// tables.
//
//   "c" [table u16 BE]  → [version u64]              the table is cleared up to this version
//   "k"                 → [batch u64][version u64]   checkpoint: newest batch in the environment,
//   and the
//                                                    highest version ever used up to it
// Part of the on-disk format.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import type { TableId } from "./storage.js";

/** The storage's own table. */
export const storageTable: TableId = 0;

const clearTag = 0x63;
const checkpointTag = 0x6b;

export const checkpointKey: Uint8Array = Uint8Array.of(checkpointTag);

/** Key of a table's clear. */
export function clearKey(table: TableId): Uint8Array {
  return Uint8Array.of(clearTag, table >>> 8, table & 0xff);
}

/** The table a clear's key names; `undefined` for other keys of table 0. */
export function clearedTable(key: Uint8Array): TableId | undefined {
  if (key.length !== 3 || key[0] !== clearTag) return undefined;
  return ((key[1] ?? 0) << 8) | (key[2] ?? 0);
}

export function encodeVersion(version: number): Uint8Array {
  const writer = new ByteWriter(8);
  writer.uint64(version);
  return writer.finish();
}

export function decodeVersion(value: Uint8Array): number {
  return new ByteReader(value).uint64();
}

/** What the last step of a checkpoint records. */
export interface CheckpointMark {
  readonly batch: number;
  readonly version: number;
}

export function encodeCheckpoint(mark: CheckpointMark): Uint8Array {
  const writer = new ByteWriter(16);
  writer.uint64(mark.batch);
  writer.uint64(mark.version);
  return writer.finish();
}

export function decodeCheckpoint(value: Uint8Array): CheckpointMark {
  const reader = new ByteReader(value);
  return { batch: reader.uint64(), version: reader.uint64() };
}
