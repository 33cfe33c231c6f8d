// Arena scan — the keys of one table in an arena, sorted, kept from page to page of a scan.
//
// An arena has no order, so the first page of a scan collects and sorts; later pages only add what
// was published since. Owns: that list. Leaves to others: ranges and precedence (view.ts).
//
// Invariants:
//   A1. The list has every key of the table published before `end`, each once, in byte order. It
//       may have keys that were published since: the index names only the newest record of a key,
//       so what is new cannot be told from what is newer.

import { type Arena, arenaStart } from "./arena.js";
import { frameHeaderBytes } from "./frame.js";
import type { TableId } from "./storage.js";

/** Keys from which on it is worth to give them ranks. */
const ranksFrom = 256;

export class ArenaScan {
  readonly #arena: Arena;
  #table = -1;
  #generation = -1;
  #end = 0;
  /** One record of each key, by key. */
  #offsets: number[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * Offsets of one record for each key of `table`, by key. O(new records), or O(arena) at first.
   */
  keys(table: TableId, generation: number, end: number): readonly number[] {
    if (this.#table !== table || this.#generation !== generation) {
      this.#table = table;
      this.#generation = generation;
      // A walk meets every record of a key, the index one: for little data the walk is quicker.
      const walk = end - arenaStart <= this.#arena.walkedBytesMax;
      this.#offsets = walk
        ? this.#merged([], this.#sorted(this.#appended(arenaStart, end)))
        : this.#sorted(this.#arena.offsets());
    } else if (end > this.#end) {
      this.#offsets = this.#merged(this.#offsets, this.#sorted(this.#appended(this.#end, end)));
    }
    this.#end = end;
    return this.#offsets;
  }

  #sorted(offsets: Iterable<number>): number[] {
    const { records } = this.#arena;
    const own: number[] = [];
    for (const offset of offsets) {
      if (records.table(offset) === this.#table) own.push(offset);
    }
    if (own.length < ranksFrom) return own.sort((a, b) => this.#compare(a, b));
    // Comparing two keys costs fifty times as much as comparing two numbers, and most keys differ
    // soon.
    const ranks = this.#ranks(own);
    const order = Uint32Array.from(own.keys()).sort((a, b) => {
      const apart = (ranks[a] ?? 0) - (ranks[b] ?? 0);
      return apart === 0 ? this.#compare(own[a] ?? 0, own[b] ?? 0) : apart;
    });
    return Array.from(order, (at) => own[at] ?? 0);
  }

  /** Of each key a number that sorts like it: six bytes behind what all keys begin with. */
  #ranks(offsets: readonly number[]): Float64Array {
    const { records } = this.#arena;
    const first = records.key(offsets[0] ?? 0);
    let shared = first.length;
    for (const offset of offsets) {
      const key = records.key(offset);
      shared = Math.min(shared, key.length);
      let same = 0;
      while (same < shared && key[same] === first[same]) same += 1;
      shared = same;
    }
    return Float64Array.from(offsets, (offset) => {
      const key = records.key(offset);
      let rank = 0;
      for (let at = shared; at < shared + 6; at += 1) rank = rank * 256 + (key[at] ?? 0);
      return rank;
    });
  }

  /** Records in the frames between two ends. */
  *#appended(from: number, to: number): Generator<number> {
    const { records } = this.#arena;
    const view = new DataView(records.bytes.buffer);
    for (let frame = Math.max(from, arenaStart); frame < to; ) {
      const frameEnd = frame + view.getUint32(frame + 4, true);
      for (let at = frame + frameHeaderBytes; at < frameEnd; at = records.end(at)) yield at;
      // Memory that is being reused can hold anything; the reader's generation check discards the
      // page.
      if (frameEnd <= frame) return;
      frame = frameEnd;
    }
  }

  /**
   * Both lists as one, without the keys of `newer` that `older` has. `newer` is short as a rule.
   */
  #merged(older: readonly number[], newer: readonly number[]): number[] {
    const merged: number[] = [];
    let taken = 0;
    let last = 0;
    for (const offset of newer) {
      if (last !== 0 && this.#compare(last, offset) === 0) continue;
      last = offset;
      const place = this.#lowerBound(older, offset, taken);
      for (; taken < place; taken += 1) merged.push(older[taken] ?? 0);
      const equal = older[place];
      if (equal === undefined || this.#compare(equal, offset) !== 0) merged.push(offset);
    }
    for (; taken < older.length; taken += 1) merged.push(older[taken] ?? 0);
    return merged;
  }

  /** Index of the first of `offsets`, from `low` on, whose key is not below that of `offset`. */
  #lowerBound(offsets: readonly number[], offset: number, low: number): number {
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
    const { records } = this.#arena;
    return Buffer.compare(records.key(a), records.key(b));
  }
}
