// Pending frame — what a frame will take, and what it is while it is written and not published.

import { limits } from "../base/limits.js";
import { frameHeaderBytes } from "./frame.js";
import { hashKey } from "./key-hash.js";
import { bytesOfValue, recordBytes } from "./record.js";
import type { RecordWrite, TableId } from "./storage.js";
import { clearKey, encodeVersion, storageTable } from "./system-key.js";

/** Room is asked for before a frame's clears are known: there is always enough for all tables. */
export const clearsReserve: { readonly keys: number; readonly bytes: number } = {
  keys: limits.storesMax,
  bytes: limits.storesMax * recordBytes(3, 8),
};

/** The frame in hand: written, not published. */
export interface PendingFrame {
  readonly end: number;
  readonly clears: ReadonlyMap<TableId, number>;
}

/** Bytes of a frame with these records. */
export function bytesOfFrame(writes: readonly RecordWrite[]): number {
  let bytes = frameHeaderBytes;
  for (const { key, value } of writes) bytes += recordBytes(key.length, bytesOfValue(value));
  return bytes;
}

/** Clears as the records that they are in a frame. */
export function clearWrites(clears: ReadonlyMap<TableId, number>): RecordWrite[] {
  return Array.from(clears, ([table, version]) => {
    const key = clearKey(table);
    const value = encodeVersion(version);
    return { table: storageTable, key, keyHash: hashKey(key), version, value, fresh: false };
  });
}
