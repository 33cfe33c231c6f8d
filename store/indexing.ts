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
import type { ReplayedSegment } from "./replay.js";
import type { TableId } from "./storage.js";
import { storageTable } from "./system-key.js";

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
  const { offsets, keys, version } = survey(arena, segment, notice);
  if (!arena.hasSlots(keys)) arena.grow(keys);
  const { records } = arena;
  const own = new Map<TableId, number[]>();
  for (let at = offsets.length - 1; at >= 0; at -= 1) {
    if (!arena.hasSlots(1)) arena.grow(1);
    const offset = offsets[at] ?? 0;
    if (!arena.publishOlder(offset)) continue;
    const table = records.table(offset);
    if (table >= limits.tableStoreFirst) continue;
    const found = own.get(table);
    if (found === undefined) own.set(table, [offset]);
    else found.push(offset);
  }
  arena.tail = segment.end;
  const lists = Array.from(own, ([table, found]) => [table, Int32Array.from(found)] as const);
  return { version, own: new Map(lists), end: segment.end };
}

/** What one walk over the records says. */
interface Survey {
  /** Of all records, oldest first. */
  readonly offsets: Int32Array;
  /** About how many keys they are of. */
  readonly keys: number;
  readonly version: number;
}

function survey(arena: Arena, segment: ReplayedSegment, notice: Noticing): Survey {
  const { records } = arena;
  const view = new DataView(records.bytes.buffer);
  const offsets = new Int32Array(segment.records);
  const counter = new KeyCounter(segment.records);
  let count = 0;
  let version = 0;
  for (let frame = arenaStart; frame < segment.end; ) {
    const frameEnd = frame + view.getUint32(frame + 4, true);
    assert(frameEnd > frame, () => `the frame at ${frame} of a replayed segment is not there`);
    for (let at = frame + frameHeaderBytes; at < frameEnd; at = records.end(at)) {
      assert(count < offsets.length, "a frame has more records than its header says");
      offsets[count] = at;
      count += 1;
      version = Math.max(version, records.version(at));
      counter.add(records.keyHash(at));
      if (records.table(at) === storageTable) notice(at);
    }
    frame = frameEnd;
  }
  return { offsets: offsets.subarray(0, count), keys: counter.estimate, version };
}

/**
 * About how many different hashes there are among so many: as many bits as hashes, one of which
 * each hash sets; how many stay zero tells (linear counting, right to a percent or two).
 */
class KeyCounter {
  readonly #bits: Int32Array;
  readonly #mask: number;

  constructor(hashes: number) {
    const bits = 2 ** Math.ceil(Math.log2(Math.max(hashes, 64)));
    this.#bits = new Int32Array(bits / 32);
    this.#mask = bits - 1;
  }

  add(hash: number): void {
    const bit = hash & this.#mask;
    this.#bits[bit >>> 5] = (this.#bits[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }

  get estimate(): number {
    const bits = this.#mask + 1;
    let zeros = bits;
    for (const word of this.#bits) zeros -= onesIn(word);
    return Math.ceil(bits * Math.log(bits / Math.max(zeros, 1)));
  }
}

function onesIn(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
