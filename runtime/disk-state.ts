// Disk state — what the disk guard has found, in memory that all threads share.
//
// Written by whoever has looked at the disk (disk-guard.ts by the clock, disk-meter.ts by what was
// written), read by every thread on its way: that costs one load. Owns: the word, and the error
// that callers get. Leaves to others: when the level changes, who asks (router.ts for callers,
// start-gate.ts for nodes).

import { PartitaError } from "../base/errors.js";

/** How far the free space of a data directory has gone down. Numbers are the shared word's. */
export const diskLevel = {
  /** Everything goes on. */
  open: 0,
  /** Below `diskLowBytes`: new work from outside is refused, accepted work goes on. */
  low: 1,
  /** Below `diskReserveBytes`: no node function is started either; what runs is finished. */
  reserve: 2,
} as const;

export type DiskLevel = (typeof diskLevel)[keyof typeof diskLevel];

/** What every thread is told of the disk; data and shared memory. */
export interface DiskSpec {
  readonly directory: string;
  readonly diskLowBytes: number;
  readonly diskReserveBytes: number;
  readonly memory: SharedArrayBuffer;
}

/** Words: 0 level, 1 free bytes, 2 looks; of 64 bits, so that no disk is too large. */
const wordCount = 3;

/** Memory that says: everything goes on. */
export function createDiskMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(wordCount * BigInt64Array.BYTES_PER_ELEMENT);
}

export class DiskState {
  readonly #spec: DiskSpec;
  /** The first half of word 0: what the hot path loads. */
  readonly #level: Int32Array;
  readonly #words: BigInt64Array;

  constructor(spec: DiskSpec) {
    this.#spec = spec;
    this.#level = new Int32Array(spec.memory, 0, 1);
    this.#words = new BigInt64Array(spec.memory);
  }

  get level(): DiskLevel {
    // cast: `set` writes nothing else.
    return this.#level[0] as DiskLevel;
  }

  /** Free bytes at the last look. */
  get freeBytes(): number {
    return Number(Atomics.load(this.#words, 1));
  }

  /** How often anybody has looked: who looked before another one knows less than he. */
  get looks(): bigint {
    return Atomics.load(this.#words, 2);
  }

  set(level: DiskLevel, freeBytes: number): void {
    Atomics.add(this.#words, 2, 1n);
    Atomics.store(this.#words, 1, BigInt(Math.floor(freeBytes)));
    Atomics.store(this.#level, 0, level);
  }

  /** What a caller with new work gets while the level is not `open`. */
  refusal(): PartitaError<"DISK_LOW"> {
    const { directory, diskLowBytes } = this.#spec;
    return new PartitaError("DISK_LOW", { directory, freeBytes: this.freeBytes, diskLowBytes });
  }
}
