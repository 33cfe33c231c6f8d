// Arena — one of the two stretches of shared memory that hold a task's newest records.
//
// Records lie in it in the order of the log (arena bytes are segment bytes); an open-addressing
// index leads from a key to its newest record.
// Owns: appending, indexing, look-up. Leaves to others: which arena is active (memtable.ts), when a
// look is valid (reader.ts).
//
// Invariants:
//   R1. A slot's hash is written before its offset, and an offset is one atomic store: any thread
//       sees no record or a whole one. Slots are never emptied but with the whole arena.
//   R2. At most three quarters of the slots are taken, so a probe always ends.

import { assert } from "../base/invariant.js";
import { RecordMemory } from "./record.js";
import type { RecordWrite, TableId } from "./storage.js";
import type { ArenaMemory } from "./task-memory.js";

/** Where records begin: behind the segment's header. */
export const arenaStart = 64;

export class Arena {
  readonly records: RecordMemory;
  readonly bytesMax: number;
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #keysMax: number;
  /** Owner's side: where the next frame goes. */
  tail: number = arenaStart;
  #keys = 0;

  constructor(memory: ArenaMemory) {
    this.records = new RecordMemory(memory.records);
    this.bytesMax = memory.records.byteLength;
    this.#slots = new Int32Array(memory.index);
    const slots = this.#slots.length / 2;
    this.#mask = slots - 1;
    this.#keysMax = Math.floor(slots * 0.75);
  }

  /** Keys that are indexed (owner's side). */
  get keys(): number {
    return this.#keys;
  }

  /** Whether `keys` more keys and `bytes` more bytes fit. */
  fits(bytes: number, keys: number): boolean {
    return this.tail + bytes <= this.bytesMax && this.#keys + keys <= this.#keysMax;
  }

  /** Whether they would fit the arena if it were empty. */
  couldFit(bytes: number, keys: number): boolean {
    return arenaStart + bytes <= this.bytesMax && keys <= this.#keysMax;
  }

  /** Offset of the newest published record of a key; 0 when there is none. */
  find(table: TableId, key: Uint8Array, keyHash: number): number {
    const slots = this.#slots;
    const hash = keyHash | 0;
    for (let slot = mixed(keyHash) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const offset = Atomics.load(slots, slot * 2 + 1);
      if (offset === 0) return 0;
      if (slots[slot * 2] === hash && this.records.holds(offset, table, key)) return offset;
    }
  }

  /** Writes a record at `at`, not published. Returns where it ends. */
  write(at: number, record: RecordWrite): number {
    const older = this.find(record.table, record.key, record.keyHash);
    const born = older === 0 ? record.fresh : this.records.isBorn(older);
    return this.records.write(at, record, born);
  }

  /** Makes the record at `offset` the newest of its key. */
  publish(offset: number): void {
    const slots = this.#slots;
    const { records } = this;
    const keyHash = records.keyHash(offset);
    const table = records.table(offset);
    const key = records.key(offset);
    for (let slot = mixed(keyHash) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const known = Atomics.load(slots, slot * 2 + 1);
      if (known === 0) {
        assert(this.#keys < this.#keysMax, "the arena's index is full");
        this.#keys += 1;
        Atomics.store(slots, slot * 2, keyHash | 0);
        Atomics.store(slots, slot * 2 + 1, offset);
        return;
      }
      if (slots[slot * 2] === (keyHash | 0) && records.holds(known, table, key)) {
        Atomics.store(slots, slot * 2 + 1, offset);
        return;
      }
    }
  }

  /** Offsets of the newest record of every key, in no order. */
  offsets(): Int32Array {
    // Plain loads: whoever calls has just loaded a control word, and that orders them after all
    // that was published before. Atomic ones take ten times as long over millions of slots.
    const slots = this.#slots;
    let count = 0;
    for (let at = 1; at < slots.length; at += 2) if (slots[at] !== 0) count += 1;
    let found = new Int32Array(count);
    let next = 0;
    for (let at = 1; at < slots.length; at += 2) {
      const offset = slots[at] ?? 0;
      if (offset === 0) continue;
      // The owner may have published new keys since they were counted, in slots before this one.
      if (next === found.length) {
        const larger = new Int32Array(next * 2 + 16);
        larger.set(found);
        found = larger;
      }
      found[next] = offset;
      next += 1;
    }
    return found.subarray(0, next);
  }

  /** About how many bytes of records are walked as quickly as the whole index. */
  get walkedBytesMax(): number {
    return this.#slots.length * 2;
  }

  /** Forgets everything. Under an odd generation only. */
  empty(): void {
    // The records themselves may stay: nothing leads to them, and replay is bounded by the file.
    this.#slots.fill(0);
    this.tail = arenaStart;
    this.#keys = 0;
  }
}

/**
 * Spreads hashes that share their high bits: a task's keys all come from one range of the space.
 */
function mixed(keyHash: number): number {
  const product = Math.imul(keyHash ^ (keyHash >>> 15), 0x2c1b_3c6d);
  return product ^ (product >>> 12);
}
