// Boot record — one row of each task that says how often it was started and how it last ended.
//
//   "b" → [starts u32][clean u8][weak u8]
//
// The first frame of a start says `clean = 0`, before anything is served; the last frame of an
// orderly close says 1. A stop in between (kill, power cut, a thread that died) leaves 0, which is
// what makes the next start careful: see `Boot.unclean`.
// Owns: the row. Leaves to others: when it is written (task-driver.ts), what follows from it
// (outbox.ts, agents).
//
// Invariants:
//   U1. `count` rises with every start that serves; a launch that is refused leaves no trace.
//   U2. `unclean` is false only if nothing was written behind the newest orderly close.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { hashKey } from "../store/key-hash.js";
import type { RecordWrite, TaskStorage } from "../store/storage.js";
import { systemTable } from "./system-table.js";

/** What a task knows of its starts. */
export interface Boot {
  /** Number of this start: 1 in a new directory. */
  readonly count: number;
  /** The stop before this start was not orderly. */
  readonly unclean: boolean;
  /**
   * It was not, in a mode of durability whose newest frames a power cut can take: this task may
   * have forgotten what others know.
   */
  readonly lossy: boolean;
}

const bootKey = Uint8Array.of(0x62);
const bootHash = hashKey(bootKey);

/** How a start stands: it serves, or has come to its orderly end (`clean`). */
export interface BootState {
  readonly count: number;
  readonly clean: boolean;
  /** In a mode of durability other than `durable`. */
  readonly weak: boolean;
}

/** This start, as the storage before its first frame tells. */
export function readBoot(storage: TaskStorage): Boot {
  const row = storage.get(systemTable.boot, bootKey, bootHash);
  if (row === undefined) return { count: 1, unclean: false, lossy: false };
  const reader = new ByteReader(row.value);
  const count = reader.u32() + 1;
  const unclean = reader.u8() === 0;
  return { count, unclean, lossy: unclean && reader.u8() === 1 };
}

/** The row of a start. */
export function bootRecord({ count, clean, weak }: BootState, version: number): RecordWrite {
  const value = new ByteWriter(6);
  value.u32(count);
  value.u8(clean ? 1 : 0);
  value.u8(weak ? 1 : 0);
  return {
    table: systemTable.boot,
    key: bootKey,
    keyHash: bootHash,
    version,
    value: value.finish(),
    fresh: false,
  };
}
