// Arena scan — the keys of a table in an arena, sorted, kept from page to page of a scan.
//
// An arena has no order, so the first page of a scan collects and sorts; later pages only add what
// was published since. What the index holds is collected for all tables at once: when a task is
// opened, it looks at one after the other.
// Owns: these lists, four bytes for each key. Leaves to others: ranges and precedence (view.ts).
//
// Invariants:
//   A1. A list has every key of the table published before `end`, each once, in byte order, by
//       its newest record before `end`. It may have a later one instead, and keys that were
//       published since, all of which lie behind `end`: the index names only the newest record.

import { limits } from "../base/limits.js";
import { type Arena, arenaStart } from "./arena.js";
import { frameHeaderBytes } from "./frame.js";
import { compareKeys, sortByKey } from "./key-order.js";
import type { TableId } from "./storage.js";

const noOffsets = new Int32Array(0);

/** Of one table. */
interface List {
  readonly offsets: Int32Array;
  readonly end: number;
  readonly isSorted: boolean;
}

/**
 * What whoever filled an arena knows of its keys up to `end`: those of the runtime's own tables, by
 * their newest records, in no order. A table without a list has none.
 */
export interface KnownKeys {
  readonly own: ReadonlyMap<TableId, Int32Array>;
  readonly end: number;
}

/** Of an empty arena. */
export const nothingKnown: KnownKeys = { own: new Map(), end: arenaStart };

export class ArenaScan {
  readonly #arena: Arena;
  #generation = -1;
  readonly #lists = new Map<TableId, List>();
  /** Up to where the lists of all tables were made: a table without one has no keys. */
  #collectedEnd: number | undefined;
  /** The same for the runtime's own tables. */
  #ownEnd: number | undefined;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Begins with what is known in a generation, instead of looking at the whole index. */
  begin(generation: number, { own, end }: KnownKeys): void {
    this.#forget(generation);
    for (const [table, offsets] of own) this.#lists.set(table, { offsets, end, isSorted: false });
    this.#ownEnd = end;
  }

  /**
   * Offsets of the newest record of each key of `table`, by key (A1). O(new records), or O(arena)
   * at first.
   */
  keys(table: TableId, generation: number, end: number): Int32Array {
    if (this.#generation !== generation) this.#forget(generation);
    const list = this.#lists.get(table) ?? this.#first(table, end);
    let { offsets } = list;
    if (!list.isSorted) sortByKey(this.#arena.records, offsets);
    if (end > list.end) offsets = this.#merged(offsets, this.#appended(table, list.end, end));
    this.#lists.set(table, { offsets, end: Math.max(end, list.end), isSorted: true });
    return offsets;
  }

  #forget(generation: number): void {
    this.#generation = generation;
    this.#lists.clear();
    this.#collectedEnd = undefined;
    this.#ownEnd = undefined;
  }

  /** What to begin with. */
  #first(table: TableId, end: number): List {
    const isOwn = table < limits.tableStoreFirst;
    const knownEnd = isOwn ? (this.#ownEnd ?? this.#collectedEnd) : this.#collectedEnd;
    if (knownEnd !== undefined) return { offsets: noOffsets, end: knownEnd, isSorted: true };
    // A walk meets every record of a key, the index one: for little data the walk is quicker.
    const walks = end - arenaStart <= this.#arena.walkedBytesMax;
    if (walks) return { offsets: noOffsets, end: arenaStart, isSorted: true };
    this.#collect(end);
    return this.#lists.get(table) ?? { offsets: noOffsets, end, isSorted: true };
  }

  /** Makes lists of all tables that have none. */
  #collect(end: number): void {
    const { records } = this.#arena;
    const found = new Map<TableId, number[]>();
    for (const offset of this.#arena.offsets()) {
      const table = records.table(offset);
      const own = found.get(table);
      if (own !== undefined) own.push(offset);
      else if (!this.#lists.has(table)) found.set(table, [offset]);
    }
    for (const [table, own] of found) {
      this.#lists.set(table, { offsets: new Int32Array(own), end, isSorted: false });
    }
    this.#collectedEnd = end;
  }

  /** Records of a table in the frames between two ends, by key. */
  #appended(table: TableId, from: number, to: number): Int32Array {
    const { records } = this.#arena;
    const view = new DataView(records.bytes.buffer);
    const found: number[] = [];
    for (let frame = Math.max(from, arenaStart); frame < to; ) {
      const frameEnd = frame + view.getUint32(frame + 4, true);
      for (let at = frame + frameHeaderBytes; at < frameEnd; at = records.end(at)) {
        if (records.table(at) === table) found.push(at);
      }
      // Memory that is being reused can hold anything; the reader's generation check discards the
      // page.
      if (frameEnd <= frame) break;
      frame = frameEnd;
    }
    const offsets = Int32Array.from(found);
    sortByKey(records, offsets);
    return offsets;
  }

  /**
   * Both lists as one, each key once, by the later of its records. `newer` is short as a rule, and
   * may have several records of a key.
   */
  #merged(older: Int32Array, newer: Int32Array): Int32Array {
    const merged = new Int32Array(older.length + newer.length);
    let count = 0;
    let taken = 0;
    for (const offset of newer) {
      const last = count === 0 ? 0 : (merged[count - 1] ?? 0);
      if (last !== 0 && this.#compare(last, offset) === 0) {
        merged[count - 1] = Math.max(last, offset);
        continue;
      }
      const place = this.#lowerBound(older, offset, taken);
      merged.set(older.subarray(taken, place), count);
      count += place - taken;
      taken = place;
      const equal = older[place];
      const isKnown = equal !== undefined && this.#compare(equal, offset) === 0;
      merged[count] = isKnown ? Math.max(equal, offset) : offset;
      if (isKnown) taken += 1;
      count += 1;
    }
    merged.set(older.subarray(taken), count);
    return merged.subarray(0, count + older.length - taken);
  }

  /** Index of the first of `offsets`, from `low` on, whose key is not below that of `offset`. */
  #lowerBound(offsets: Int32Array, offset: number, low: number): number {
    let first = low;
    let end = offsets.length;
    while (first < end) {
      const middle = (first + end) >>> 1;
      if (this.#compare(offsets[middle] ?? 0, offset) < 0) first = middle + 1;
      else end = middle;
    }
    return first;
  }

  #compare(a: number, b: number): number {
    return compareKeys(this.#arena.records, a, b);
  }
}
