// Disk guard — watches the free space of the data directory, so that a full disk is met by refusing
// work and not by a failed write, after which the process has to end (D2 of task-driver.ts).
//
//   open ──free < low──► low ──free < reserve──► reserve
//     ◄─free ≥ low + ⅛──     ◄─free ≥ reserve + ⅛──        (straight from one end to the other too)
//
// Owns: the two marks, the pace of looks, the level. Leaves to others: the shared word
// (disk-state.ts), and what a level means on the way of callers (router.ts) and nodes
// (start-gate.ts). Checkpoints, acknowledgements and messages between tasks are never held up:
// they are what gives space back.
//
// Invariants:
//   K1. Nothing is served before the first look.
//   K2. A level is left upwards only when an eighth of its mark is free beyond it: no flapping.
//   K3. A look that fails changes nothing; the next one is made at the usual time. Nor does one in
//       whose time a task has looked (disk-meter.ts): the answer may be older than what that found.

import { statfs } from "node:fs/promises";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { type DiskLevel, type DiskState, diskLevel } from "./disk-state.js";
import type { System, Timer } from "./system.js";

/** Free bytes below which less is done. 0 turns a mark off; `diskLowBytes` is not the smaller. */
export interface DiskMarks {
  readonly diskLowBytes: number;
  readonly diskReserveBytes: number;
}

/** Free bytes of the data directory's file system. */
export type DiskProbe = () => Promise<number>;

/** Figures of the guard. */
export interface DiskReport extends DiskMarks {
  /** `low`: new work is refused with DISK_LOW. `reserve`: nodes are not started either. */
  readonly level: keyof typeof diskLevel;
  /** At the last look; `null` when the guard is off. */
  readonly freeBytes: number | null;
  /** Looks since the launch that found nothing out, because the system refused to say. */
  readonly failedLooks: number;
}

const names: Readonly<Record<DiskLevel, keyof typeof diskLevel>> = {
  [diskLevel.open]: "open",
  [diskLevel.low]: "low",
  [diskLevel.reserve]: "reserve",
};

/** What is free for this process, without what the system keeps for root. */
export function probeOf(directory: string): DiskProbe {
  return async () => {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  };
}

/** The level after a look (K2). */
export function nextLevel(level: DiskLevel, freeBytes: number, marks: DiskMarks): DiskLevel {
  if (isBelow(freeBytes, marks.diskReserveBytes, level >= diskLevel.reserve)) {
    return diskLevel.reserve;
  }
  return isBelow(freeBytes, marks.diskLowBytes, level >= diskLevel.low)
    ? diskLevel.low
    : diskLevel.open;
}

function isBelow(freeBytes: number, mark: number, wasBelow: boolean): boolean {
  return freeBytes < (wasBelow ? mark + mark / 8 : mark);
}

export class DiskGuard {
  readonly #system: System;
  readonly #state: DiskState;
  readonly #marks: DiskMarks;
  readonly #directory: string;
  readonly #probe: DiskProbe | undefined;
  #timer: Timer | undefined;
  #failedLooks = 0;
  #closed = false;

  constructor(parts: {
    readonly system: System;
    readonly state: DiskState;
    readonly marks: DiskMarks;
    /** Without `freeBytes` there is nothing to guard. */
    readonly place: { readonly directory: string; readonly freeBytes?: DiskProbe };
  }) {
    this.#system = parts.system;
    this.#state = parts.state;
    this.#marks = parts.marks;
    this.#directory = parts.place.directory;
    this.#probe = parts.marks.diskLowBytes === 0 ? undefined : parts.place.freeBytes;
  }

  /**
   * Looks for the first time, then again and again until `close`.
   * @throws PartitaError DIRECTORY_INVALID when the system does not say what is free
   */
  async begin(): Promise<void> {
    if (this.#probe === undefined) return;
    try {
      this.#judge(await this.#probe());
    } catch (cause) {
      const reason = "its free space cannot be read (diskLowBytes: 0 does without)";
      throw new PartitaError(
        "DIRECTORY_INVALID",
        { directory: this.#directory, reason },
        { cause },
      );
    }
    this.#lookAgain(this.#probe);
  }

  report(): DiskReport {
    const { level, freeBytes } = this.#state;
    return {
      ...this.#marks,
      level: names[level],
      freeBytes: this.#probe === undefined ? null : freeBytes,
      failedLooks: this.#failedLooks,
    };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #lookAgain(probe: DiskProbe): void {
    if (this.#closed) return;
    this.#timer = this.#system.after(limits.diskLookMs, () => void this.#look(probe), true);
  }

  async #look(probe: DiskProbe): Promise<void> {
    const { looks } = this.#state;
    try {
      const freeBytes = await probe();
      if (!this.#closed && this.#state.looks === looks) this.#judge(freeBytes);
    } catch {
      this.#failedLooks += 1;
    }
    this.#lookAgain(probe);
  }

  #judge(freeBytes: number): void {
    this.#state.set(nextLevel(this.#state.level, freeBytes, this.#marks), freeBytes);
  }
}
