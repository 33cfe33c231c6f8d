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
import { frameHeaderBytes } from "./frame.js";
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

/** Indexes the frames that an empty arena holds. */
export function indexSegment(arena: Arena, segment: ReplayedSegment, notice: Noticing): Indexed {
  const { records } = arena;
  const list = listOf(arena, segment);
  for (const offset of list.storageOffsets) notice(offset);
  const keys = list.differentHashes;
  if (!arena.hasSlots(keys)) arena.grow(keys);
  const own = new Map<TableId, number[]>();
  for (const offset of arena.publishAll(list, limits.tableStoreFirst)) {
    const table = records.table(offset);
    const found = own.get(table);
    if (found === undefined) own.set(table, [offset]);
    else found.push(offset);
  }
  arena.tail = segment.end;
  const lists = Array.from(own, ([table, found]) => [table, Int32Array.from(found)] as const);
  return { version: list.version, own: new Map(lists), end: segment.end };
}

/** All records of a segment, oldest first. */
function listOf(arena: Arena, segment: ReplayedSegment): RecordList {
  const { records } = arena;
  const list = new RecordList(segment.records);
  const view = new DataView(records.bytes.buffer);
  for (let frame = arenaStart; frame < segment.end; ) {
    const frameEnd = frame + view.getUint32(frame + 4, true);
    assert(frameEnd > frame, () => `the frame at ${frame} of a replayed segment is not there`);
    records.list(frame + frameHeaderBytes, frameEnd, list);
    frame = frameEnd;
  }
  return list;
}
