// Task memory — the shared memory of one task: two arenas and the control words that order their
// reads.
//
// Owns: the layout and its typed views. Leaves to others: writing (arena.ts,
// task-storage.ts), reading (view.ts, reader.ts).
//
// Control words (Int32):
//   0 generation: odd while the owner changes anything but the publication of single keys
//   1 which arena is active, 0 or 1
//   2 what the other arena is: 0 empty, 1 frozen (holds records that no checkpoint has taken over
//     yet), 2 kept (the environment has all its records; they are found faster in it)
//   3, 4 end of what is published in arena 0 and 1: a scan knows by it what it has not seen yet
//   5 whether a task has had this memory before
// Then, for each table, the version up to which it is cleared, as two u32 (low, high).
//
// Invariants:
//   S1. All of it starts as zeros and is written by the owner's thread alone.
//   S2. A reader that saw the same even generation before and after a look saw one state.

import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { slotsFirst } from "./arena-slots.js";

/** What crosses threads: shared memory alone, so it can be posted. */
export interface TaskMemory {
  readonly control: SharedArrayBuffer;
  readonly arenas: readonly [ArenaMemory, ArenaMemory];
}

export interface ArenaMemory {
  /** The bytes of a segment, at the same offsets. */
  readonly records: SharedArrayBuffer;
  /**
   * How many slots are in use, which arena.ts says; then slots of (key hash, record offset), both
   * u32; offset 0 is an empty slot.
   */
  readonly index: SharedArrayBuffer;
}

const control = {
  generation: 0,
  active: 1,
  other: 2,
  publishedEnd: 3,
  used: 5,
} as const;

const otherArenas = { empty: 0, frozen: 1, kept: 2 } as const;

/** What the arena that is not active is. */
export type OtherArena = keyof typeof otherArenas;

const controlWords = 8;
/** Bytes of an index before its slots. */
export const indexHeaderBytes = 8;
const tableCount = limits.tableStoreFirst + limits.storesMax;
/** An arena is expected to hold records of about this size; smaller ones fill the index first. */
const expectedRecordBytes = 64;

assert(limits.arenaBytesMax < 2 ** 31, "offsets fit a signed word");

/** Memory of a new task. The system gives the pages as they are written. */
export function createTaskMemory(options: { readonly arenaBytes: number }): TaskMemory {
  const { arenaBytes } = options;
  assert(
    arenaBytes >= limits.arenaBytesMin && arenaBytes <= limits.arenaBytesMax,
    () => `arena of ${arenaBytes} bytes`,
  );
  return {
    control: new SharedArrayBuffer((controlWords + tableCount * 2) * 4),
    arenas: [createArenaMemory(arenaBytes), createArenaMemory(arenaBytes)],
  };
}

/** Memory of one arena, with slots for `keys` keys at least. */
export function createArenaMemory(arenaBytes: number, keys = 0): ArenaMemory {
  return {
    records: new SharedArrayBuffer((arenaBytes + 7) & ~7),
    index: new SharedArrayBuffer(indexHeaderBytes + slotCount(arenaBytes, keys) * 8),
  };
}

/**
 * Slots of an arena's index, most of which a task with few keys never takes: a power of two, of
 * which keys take three quarters at most. Never fewer than an index has in use from its start.
 */
function slotCount(arenaBytes: number, keys: number): number {
  const expected = Math.log2(arenaBytes / expectedRecordBytes) + 0.5;
  const needed = Math.log2(Math.max(keys, 1) / 0.75);
  return Math.max(slotsFirst, 2 ** Math.ceil(Math.max(expected, needed)));
}

/** The control words as one thread sees them. */
export class ControlWords {
  readonly words: Int32Array;
  readonly #isOwner: boolean;

  /** `isOwner`: nobody else writes them (S1), so that its own looks need no atomic loads. */
  constructor(memory: TaskMemory, isOwner = false) {
    this.words = new Int32Array(memory.control);
    this.#isOwner = isOwner;
  }

  get generation(): number {
    return Atomics.load(this.words, control.generation);
  }

  get active(): 0 | 1 {
    return this.#load(control.active) === 0 ? 0 : 1;
  }

  get other(): OtherArena {
    const word = this.#load(control.other);
    if (word === otherArenas.frozen) return "frozen";
    return word === otherArenas.kept ? "kept" : "empty";
  }

  /** Where the published frames of an arena end. */
  publishedEnd(arena: 0 | 1): number {
    return Atomics.load(this.words, control.publishedEnd + arena);
  }

  setPublishedEnd(arena: 0 | 1, end: number): void {
    Atomics.store(this.words, control.publishedEnd + arena, end);
  }

  /** Runs `change` under an odd generation: readers that look meanwhile look again. */
  exclusively(change: () => void): void {
    this.begin();
    change();
    this.end();
  }

  /** Makes the generation odd; it may be already, where a thread died within a change. */
  begin(): void {
    if (this.generation % 2 === 0) Atomics.add(this.words, control.generation, 1);
  }

  /** Makes the generation even again, another than before. */
  end(): void {
    assert(this.generation % 2 !== 0, "the end of a change that did not begin");
    Atomics.add(this.words, control.generation, 1);
  }

  setActive(arena: 0 | 1): void {
    Atomics.store(this.words, control.active, arena);
  }

  setOther(other: OtherArena): void {
    Atomics.store(this.words, control.other, otherArenas[other]);
  }

  /**
   * The version up to which a table is cleared; 0 when it never was. Valid under an even
   * generation.
   */
  cleared(table: number): number {
    const at = controlWords + table * 2;
    const low = this.#load(at) >>> 0;
    return low + (this.#load(at + 1) >>> 0) * 2 ** 32;
  }

  /** Takes the memory for a task; returns whether another task had it before. */
  takeOver(): boolean {
    return Atomics.exchange(this.words, control.used, 1) === 1;
  }

  /** No table is cleared. Under an odd generation only. */
  forgetCleared(): void {
    this.words.fill(0, controlWords);
  }

  setCleared(table: number, version: number): void {
    const at = controlWords + table * 2;
    Atomics.store(this.words, at, version >>> 0);
    Atomics.store(this.words, at + 1, Math.floor(version / 2 ** 32));
  }

  #load(at: number): number {
    return this.#isOwner ? (this.words[at] ?? 0) : Atomics.load(this.words, at);
  }
}
