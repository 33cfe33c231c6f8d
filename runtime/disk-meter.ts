// Disk meter — a task's own looks at the free space: after so many bytes, not after so much time.
//
// The guard (disk-guard.ts) looks by the clock, on the launching thread. A fast device writes more
// between two of its looks than a mark has, and while users keep that thread busy it does not look
// at all; the nodes on task threads go on meanwhile.
// Owns: when a task looks. Leaves to others: levels (disk-guard.ts), the shared word
// (disk-state.ts).
//
// Invariants:
//   B1. All tasks together write no more than about the reserve, nor `diskLookBytes`, between the
//       looks of one of them. What a frame takes counts twice: a checkpoint writes it again.
//   B2. A look that fails changes nothing: the guard counts its own, which fail as well.

import { statfsSync } from "node:fs";
import { limits } from "../base/limits.js";
import { type DiskMarks, nextLevel } from "./disk-guard.js";
import type { DiskState } from "./disk-state.js";

/** Free bytes of the data directory's file system, at once: a few microseconds. */
export type FreeBytes = () => number;

/** What is free for this process now, without what the system keeps for root. */
export function freeBytesOf(directory: string): FreeBytes {
  return () => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  };
}

export class DiskMeter {
  readonly #state: DiskState;
  readonly #marks: DiskMarks;
  readonly #freeBytes: FreeBytes;
  readonly #stepBytes: number;
  #lookedAt = 0;

  constructor(parts: {
    readonly state: DiskState;
    readonly marks: DiskMarks;
    readonly freeBytes: FreeBytes;
    readonly taskCount: number;
  }) {
    const { state, marks, freeBytes, taskCount } = parts;
    this.#state = state;
    this.#marks = marks;
    this.#freeBytes = freeBytes;
    const mark = marks.diskReserveBytes === 0 ? marks.diskLowBytes : marks.diskReserveBytes;
    const bytes = Math.min(limits.diskLookBytes, mark) / taskCount / 2;
    this.#stepBytes = Math.max(bytes, limits.diskLookBytesMin);
  }

  /** `frameBytes`: of all frames that the task has written since it was opened. */
  wrote(frameBytes: number): void {
    if (frameBytes - this.#lookedAt < this.#stepBytes) return;
    this.#lookedAt = frameBytes;
    let freeBytes: number;
    try {
      freeBytes = this.#freeBytes();
    } catch {
      return;
    }
    this.#state.set(nextLevel(this.#state.level, freeBytes, this.#marks), freeBytes);
  }
}
