// Indexing — makes what a replayed segment holds findable in the arena it was read to.
//
// Owns: filling an empty arena's index at once, newest record first, and what is learnt on the way.
// Leaves to others: judging the bytes (replay.ts), which segment goes where (recovery.ts), how a
// single key is found (arena.ts).
//
// Invariants:
//   X1. Runs under an odd generation, over frames whose checksums were found right.
//   X2. The index leads to the newest record of every key, and takes as much memory as if the keys
//       had come one by one: how many there are is estimated before it grows.

import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { type Arena, arenaStart } from "./arena.js";
import { type KeptIndex, listFrames, summaryOf } from "./index-file.js";
import { RecordList } from "./record.js";
import type { ReplayedSegment } from "./replay.js";
import type { TableId } from "./storage.js";

/** What an arena was found to hold. */
export interface Indexed {
  /** The highest version of all records. */
  readonly version: number;
  /**
   * Offsets of the newest record of each key in the runtime's own tables, in no order: a task that
   * begins walks over these tables, whose rows are few among those of stores.
   */
  readonly own: ReadonlyMap<TableId, Int32Array>;
  /** Up to where. */
  readonly end: number;
}

/** Of `storageTable`: called with the offset of each record of it, oldest first. */
type Noticing = (offset: number) => void;

/**
 * Indexes the frames that an empty arena holds. `kept`: what an index file said of the first of
 * them, which then are in the index already.
 */
export function indexSegment(
  arena: Arena,
  segment: ReplayedSegment,
  notice: Noticing,
  kept?: KeptIndex,
): Indexed {
  const from = kept?.end ?? arenaStart;
  const summary = summaryOf(arena, from, segment.end);
  assert(summary !== undefined, "a replayed segment ends with a frame");
  const list = new RecordList(summary.records);
  listFrames(arena, from, segment.end, list);
  for (const offset of kept?.storage ?? []) notice(offset);
  for (const offset of list.storageOffsets) notice(offset);
  const newest = kept === undefined ? publishAll(arena, list) : publishBehind(arena, list, kept);
  arena.tail = segment.end;
  const version = Math.max(kept?.version ?? 0, list.version);
  return { version, own: byTable(arena, newest), end: segment.end };
}

/** Into an index without keys. Returns the newest records of the runtime's own keys. */
function publishAll(arena: Arena, list: RecordList): Int32Array {
  const keys = list.differentHashes;
  if (!arena.hasSlots(keys)) arena.grow(keys);
  return arena.publishAll(list, limits.tableStoreFirst);
}

/** The same, into an index that has the keys of the frames before. */
function publishBehind(arena: Arena, list: RecordList, kept: KeptIndex): Int32Array {
  const replaced = new Set<number>();
  const own = new Int32Array(kept.own.length + list.length);
  own.set(kept.own);
  let count = kept.own.length;
  for (let at = 0; at < list.length; at += 1) {
    if (!arena.hasSlots(1)) arena.grow(1);
    const offset = list.offsets[at] ?? 0;
    const before = arena.publish(offset);
    if ((list.tables[at] ?? 0) >= limits.tableStoreFirst) continue;
    own[count] = offset;
    count += 1;
    if (before !== 0) replaced.add(before);
  }
  const published = own.subarray(0, count);
  return replaced.size === 0 ? published : published.filter((offset) => !replaced.has(offset));
}

/** Counted first: lists that grow would leave as much again behind, at every start of a task. */
function byTable(arena: Arena, offsets: Int32Array): ReadonlyMap<TableId, Int32Array> {
  const { records } = arena;
  const counts = new Map<TableId, number>();
  for (const offset of offsets) {
    const table = records.table(offset);
    counts.set(table, (counts.get(table) ?? 0) + 1);
  }
  const lists = new Map(Array.from(counts, ([table, count]) => [table, new Int32Array(count)]));
  for (const offset of offsets) {
    const table = records.table(offset);
    const left = counts.get(table);
    const list = lists.get(table);
    assert(left !== undefined && list !== undefined, "each table was counted");
    counts.set(table, left - 1);
    list[list.length - left] = offset;
  }
  return lists;
}
