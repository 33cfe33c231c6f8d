// Arena — one of the two stretches of shared memory that hold a task's newest records.
//
// Records lie in it in the order of the log (arena bytes are segment bytes); an open-addressing
// index leads from a key to its newest record.
// Owns: appending, indexing, look-up. Leaves to others: which arena is active (task-storage.ts),
// when a look is valid (reader.ts).
//
// Invariants:
//   R1. A slot's hash is written before its offset, and an offset is one atomic store: any thread
//       sees no record or a whole one. Slots are never emptied but with the whole arena.
//   R2. At most three quarters of the slots in use are taken, so a probe always ends.
//   R3. Of the index's memory only so much is in use as keys needed: the system gives no page for
//       the rest. It grows under an odd generation alone; the first word says how far it is in use.
//   R4. Within one era of this arena a key that has a slot keeps it, and what its first record says
//       of layers below. No other arena of this thread has, or had, the same era.

import { assert } from "../base/invariant.js";
import { keysIn, mixed, slotsFirst } from "./arena-slots.js";
import { type RecordList, RecordMemory } from "./record.js";
import type { RecordWrite, TableId } from "./storage.js";
import { type ArenaMemory, indexHeaderBytes } from "./task-memory.js";

/** Where records begin: behind the segment's header. */
export const arenaStart = 64;

/** Slots of a part that is filled at a time: 512 KiB. */
const partSlots = 65_536;

/** A record's key has no slot yet, or had it before the last growth. */
const slotUnknown = -1;
/** The place of such a key: half of it is `slotUnknown`. */
const noPlace = -2;

let eras = 0;

function nextEra(): number {
  eras += 1;
  return eras;
}

export class Arena {
  readonly records: RecordMemory;
  readonly bytesMax: number;
  readonly #slots: Int32Array;
  /** The first word: one less than the slots in use, 0 while they are `slotsFirst`. */
  readonly #inUse: Int32Array;
  readonly #keysMax: number;
  /** Owner's side: where the next frame goes. */
  tail: number = arenaStart;
  #keys = 0;
  /** Of each record written and not published: its offset, and its key's slot or `slotUnknown`. */
  #written = new Int32Array(2 * 256);
  #writtenCount = 0;
  /** Keys that the slots in use can take. */
  #room: number;
  /** Changes with all slots (R4). */
  #era = nextEra();
  readonly #isOwner: boolean;

  /** `isOwner`: nobody else writes to it meanwhile, so that its own looks need no atomic loads. */
  constructor(memory: ArenaMemory, isOwner = false) {
    this.#isOwner = isOwner;
    this.records = new RecordMemory(memory.records);
    this.bytesMax = memory.records.byteLength;
    this.#inUse = new Int32Array(memory.index, 0, 2);
    this.#slots = new Int32Array(memory.index, indexHeaderBytes);
    assert(this.#slots.length > this.#mask * 2, "an index has all slots that are in use");
    this.#keysMax = keysIn(this.#slots.length / 2);
    this.#room = keysIn(this.#mask + 1);
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
    const mask = this.#mask;
    const hash = keyHash | 0;
    for (let slot = mixed(keyHash) & mask; ; slot = (slot + 1) & mask) {
      const offset = this.#isOwner ? slots[slot * 2 + 1] : Atomics.load(slots, slot * 2 + 1);
      if (offset === 0 || offset === undefined) return 0;
      if (slots[slot * 2] === hash && this.records.holds(offset, table, key)) return offset;
    }
  }

  /**
   * Where a record of a key with this hash may lie, or 0: nothing but its slot is looked at, so
   * that several such looks are under way at a time.
   */
  likely(keyHash: number): number {
    const slots = this.#slots;
    const slot = mixed(keyHash) & this.#mask;
    return slots[slot * 2] === (keyHash | 0) ? (slots[slot * 2 + 1] ?? 0) : 0;
  }

  /** Whether the index leads to the record at `offset`. */
  isNewest(offset: number): boolean {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = mixed(this.records.keyHash(offset)) & mask; ; slot = (slot + 1) & mask) {
      const known = slots[slot * 2 + 1];
      if (known === offset) return true;
      if (known === 0 || known === undefined) return false;
    }
  }

  /** Writes a record at `at`, for `publishWritten`. Returns where it ends. */
  write(at: number, record: RecordWrite): number {
    const isKnown = record.placeEra === this.#era;
    const place = isKnown ? (record.place ?? noPlace) : this.#placeOf(record);
    const born = place === noPlace ? record.fresh : (place & 1) === 1;
    if (this.#writtenCount + 2 > this.#written.length) {
      this.#written = longer(this.#written, this.#written.length * 2);
    }
    this.#written[this.#writtenCount] = at;
    this.#written[this.#writtenCount + 1] = place >> 1;
    this.#writtenCount += 2;
    return this.records.write(at, record, born);
  }

  /** Records written and not published. */
  get written(): number {
    return this.#writtenCount / 2;
  }

  /**
   * Makes each record written since the last call the newest of its key: `hasSlots` of them.
   */
  publishWritten(): void {
    const slots = this.#slots;
    const written = this.#written;
    const end = this.#writtenCount;
    // The processor fetches all slots side by side here; an atomic store waits for its own.
    let taken = true;
    for (let index = 1; index < end; index += 2) {
      const slot = written[index] ?? 0;
      if (slot !== slotUnknown && slots[slot * 2 + 1] === 0) taken = false;
    }
    assert(taken, "a key has lost its slot");
    for (let index = 0; index < end; index += 2) {
      const offset = written[index] ?? 0;
      const slot = written[index + 1] ?? 0;
      if (slot === slotUnknown) this.publish(offset);
      else Atomics.store(slots, slot * 2 + 1, offset);
    }
    this.#writtenCount = 0;
  }

  /**
   * The slot of a record's key, times two, plus one when no layer below has the key; or `noPlace`.
   * A write that can remember its place is given it (R4).
   */
  #placeOf(record: RecordWrite): number {
    const slots = this.#slots; // Plain loads: nobody else writes.
    const mask = this.#mask;
    const hash = record.keyHash | 0;
    for (let slot = mixed(hash) & mask; ; slot = (slot + 1) & mask) {
      const offset = slots[slot * 2 + 1] ?? 0;
      if (offset === 0) return noPlace;
      if (slots[slot * 2] !== hash || !this.records.holds(offset, record.table, record.key)) {
        continue;
      }
      const place = slot * 2 + (this.records.isBorn(offset) ? 1 : 0);
      if (record.placeEra !== undefined) {
        record.place = place;
        record.placeEra = this.#era;
      }
      return place;
    }
  }

  /** Whether so many more keys fit the slots in use; if not, `grow` first. */
  hasSlots(keys: number): boolean {
    return this.#keys + keys <= this.#room;
  }

  /**
   * Takes more slots into use, for so many more keys than fit those that are. Under an odd
   * generation only (R3).
   */
  grow(keys: number): void {
    assert(this.#keys + keys <= this.#keysMax, "the arena's index is full");
    assert(!this.hasSlots(keys), "an index grows when it has to");
    const before = this.#mask + 1;
    let after = before;
    while (keysIn(after) < this.#keys + keys) after *= 2;
    const slots = this.#slots;
    const taken = slots.slice(0, before * 2);
    slots.fill(0, 0, before * 2);
    Atomics.store(this.#inUse, 0, after - 1);
    this.#room = keysIn(after);
    this.#era = nextEra();
    // Slots of records that are written and not published: those are looked for again.
    for (let at = 1; at < this.#writtenCount; at += 2) this.#written[at] = slotUnknown;
    for (let at = 0; at < taken.length; at += 2) {
      const offset = taken[at + 1] ?? 0;
      if (offset !== 0) this.#place(taken[at] ?? 0, offset);
    }
  }

  /** Makes the record at `offset` the newest of its key. Returns the one before it, or 0. */
  publish(offset: number): number {
    const slots = this.#slots;
    const { records } = this;
    const mask = this.#mask;
    const hash = records.keyHash(offset) | 0;
    for (let slot = mixed(hash) & mask; ; slot = (slot + 1) & mask) {
      const known = slots[slot * 2 + 1] ?? 0;
      if (known === 0) {
        assert(this.#keys < this.#room, "the arena's index has no slot for one more key");
        this.#keys += 1;
        // Whoever sees the offset, which is stored atomically, sees the hash before it.
        slots[slot * 2] = hash;
        Atomics.store(slots, slot * 2 + 1, offset);
        return 0;
      }
      if (slots[slot * 2] === hash && records.isSameKey(known, offset)) {
        Atomics.store(slots, slot * 2 + 1, offset);
        return known;
      }
    }
  }

  /**
   * Makes the last record of each key in a list its newest; the arena has no keys yet. Returns
   * those of tables below `tableEnd`. Under an odd generation only: nobody looks, so plain stores
   * will do (R1).
   */
  publishAll(list: RecordList, tableEnd: TableId): Int32Array {
    assert(this.#keys === 0, "records are indexed at once in an empty arena alone");
    const newest = new Int32Array(list.length);
    let count = 0;
    // One part of the index after the other: what is written to stays near the processor.
    const first = this.#mask;
    for (let part = 0; part <= first; part += partSlots) {
      const rest = newest.subarray(count);
      count += this.#publishPart(list, part, first & -partSlots, tableEnd, rest);
    }
    return newest.subarray(0, count);
  }

  /**
   * The keys whose slots, by `bits` of their numbers, begin in the part that begins at `part`.
   * Writes records of tables before `tableEnd` to `newest`, and returns how many.
   */
  #publishPart(
    list: RecordList,
    part: number,
    bits: number,
    tableEnd: TableId,
    newest: Int32Array,
  ): number {
    const slots = this.#slots;
    const { records } = this;
    const { offsets, hashes, tables } = list;
    let mask = this.#mask;
    let count = 0;
    // The newest first: the others of its key find it there and are left out.
    for (let at = list.length - 1; at >= 0; at -= 1) {
      const hash = hashes[at] ?? 0;
      const number = mixed(hash);
      if ((number & bits) !== part) continue;
      const offset = offsets[at] ?? 0;
      let slot = (number & mask) * 2;
      let known = slots[slot + 1] ?? 0;
      while (known !== 0 && !(slots[slot] === hash && records.isSameKey(known, offset))) {
        slot = (slot + 2) & (mask * 2);
        known = slots[slot + 1] ?? 0;
      }
      if (known !== 0) continue;
      if (this.#keys === this.#room) {
        this.grow(1);
        mask = this.#mask;
        this.#place(hash, offset);
      } else {
        slots[slot] = hash;
        slots[slot + 1] = offset;
      }
      this.#keys += 1;
      if ((tables[at] ?? 0) >= tableEnd) continue;
      newest[count] = offset;
      count += 1;
    }
    return count;
  }

  /** Offsets of the newest record of every key, in no order. */
  offsets(): Int32Array {
    // Plain loads: whoever calls has just loaded a control word, and that orders them after all
    // that was published before. Atomic ones take ten times as long over millions of slots.
    const slots = this.#slots;
    const end = (this.#mask + 1) * 2;
    let count = 0;
    for (let at = 1; at < end; at += 2) if (slots[at] !== 0) count += 1;
    let found = new Int32Array(count);
    let next = 0;
    for (let at = 1; at < end; at += 2) {
      const offset = slots[at] ?? 0;
      if (offset === 0) continue;
      // The owner may have published new keys since they were counted, in slots before this one.
      if (next === found.length) found = longer(found, next * 2 + 16);
      found[next] = offset;
      next += 1;
    }
    return found.subarray(0, next);
  }

  /** The first `slots` slots, by default those in use, as bytes: for a file of them. */
  slotBytes(slots: number = this.#mask + 1): Uint8Array {
    const { buffer, byteOffset } = this.#slots;
    return new Uint8Array(buffer, byteOffset, slots * 8);
  }

  /** Whether so many slots with so many keys could be those of this arena. */
  canAdopt(slots: number, keys: number): boolean {
    const isPower = slots >= slotsFirst && (slots & (slots - 1)) === 0;
    return isPower && slots * 2 <= this.#slots.length && keys > 0 && keys <= keysIn(slots);
  }

  /**
   * Gives an empty arena the index that `read` puts into the bytes of its slots, which lead to
   * records it holds. When `read` says false, or throws, the arena is as it was. Under an odd
   * generation only.
   */
  adopt(slots: number, keys: number, read: (bytes: Uint8Array) => boolean): boolean {
    assert(this.#keys === 0 && this.canAdopt(slots, keys), "an index that does not fit its arena");
    const before = this.#mask;
    // First: of what a thread that dies within has read, `empty` misses nothing.
    Atomics.store(this.#inUse, 0, slots - 1);
    try {
      if (read(this.slotBytes(slots))) this.#keys = keys;
    } finally {
      if (this.#keys === 0) {
        this.#slots.fill(0, 0, slots * 2);
        Atomics.store(this.#inUse, 0, before);
      }
    }
    this.#room = keysIn(this.#mask + 1);
    return this.#keys > 0;
  }

  /** About how many bytes of records are walked as quickly as the whole index. */
  get walkedBytesMax(): number {
    return (this.#mask + 1) * 4;
  }

  /** Forgets everything. Under an odd generation only. */
  empty(): void {
    // The records themselves may stay: nothing leads to them, and replay is bounded by the file. So
    // may the slots in use: the next records are likely to have as many keys.
    this.#slots.fill(0, 0, (this.#mask + 1) * 2);
    this.tail = arenaStart;
    this.#keys = 0;
    this.#writtenCount = 0;
    this.#era = nextEra();
  }

  get #mask(): number {
    const inUse = this.#isOwner ? (this.#inUse[0] ?? 0) : Atomics.load(this.#inUse, 0);
    return inUse | (slotsFirst - 1);
  }

  /** Puts a key that the index does not have into its slot. */
  #place(hash: number, offset: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let slot = mixed(hash) & mask;
    while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & mask;
    Atomics.store(slots, slot * 2, hash);
    Atomics.store(slots, slot * 2 + 1, offset);
  }
}

function longer(before: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const after = new Int32Array(length);
  after.set(before);
  return after;
}
