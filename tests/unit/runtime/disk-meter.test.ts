// Bugs here would look like a disk that fills up between two looks of the guard, or while nobody
// looks because the launching thread is busy.
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import type { DiskMarks } from "../../../runtime/disk-guard.js";
import { DiskMeter } from "../../../runtime/disk-meter.js";
import { createDiskMemory, DiskState, diskLevel } from "../../../runtime/disk-state.js";

const { open, low, reserve } = diskLevel;
const mib = 2 ** 20;

function metered(marks: DiskMarks, taskCount = 1) {
  const state = new DiskState({ directory: "d", ...marks, memory: createDiskMemory() });
  const disk: { free: number | Error; looks: number } = { free: Number.MAX_SAFE_INTEGER, looks: 0 };
  const freeBytes = (): number => {
    disk.looks += 1;
    if (disk.free instanceof Error) throw disk.free;
    return disk.free;
  };
  return { state, disk, meter: new DiskMeter({ state, marks, freeBytes, taskCount }) };
}

/** Where each of the first looks comes, in bytes of frames, when every frame takes 64 KiB. */
function looksOf(marks: DiskMarks, taskCount: number, frames = 2_000): readonly number[] {
  const { meter, disk } = metered(marks, taskCount);
  const looks: number[] = [];
  for (let frame = 1; frame <= frames; frame += 1) {
    const before = disk.looks;
    meter.wrote(frame * 65_536);
    if (disk.looks > before) looks.push(frame * 65_536);
  }
  return looks;
}

describe("disk meter — when it looks (B1)", () => {
  it("looks after half of what all tasks may write, since a checkpoint writes it again", () => {
    const marks = { diskLowBytes: 256 * mib, diskReserveBytes: 64 * mib };
    expect(limits.diskLookBytes).toBe(64 * mib);
    expect(looksOf(marks, 1)).toEqual([32, 64, 96].map((count) => count * mib));
  });

  it("looks the more often the more tasks there are", () => {
    const marks = { diskLowBytes: 256 * mib, diskReserveBytes: 64 * mib };
    expect(looksOf(marks, 8, 200)).toEqual([4, 8, 12].map((count) => count * mib));
  });

  it("never waits for more than a reserve, nor for more than the limit", () => {
    expect(looksOf({ diskLowBytes: 64 * mib, diskReserveBytes: 8 * mib }, 1, 200)).toEqual([
      4 * mib,
      8 * mib,
      12 * mib,
    ]);
    const large = { diskLowBytes: 4_096 * mib, diskReserveBytes: 1_024 * mib };
    expect(looksOf(large, 1, 600)).toEqual([32 * mib]);
  });

  it("goes by the first mark where there is no reserve", () => {
    const marks = { diskLowBytes: 16 * mib, diskReserveBytes: 0 };
    expect(looksOf(marks, 1, 200)).toEqual([8 * mib]);
  });

  it("does not look at each frame where marks are small", () => {
    const { meter, disk } = metered({ diskLowBytes: 800, diskReserveBytes: 400 });
    for (let frame = 1; frame <= 64; frame += 1) meter.wrote(frame * 1_024);
    expect(disk.looks).toBe(1);
  });
});

describe("disk meter — what it finds", () => {
  const marks = { diskLowBytes: 800, diskReserveBytes: 400 };
  const step = limits.diskLookBytesMin;

  it("moves the level down and up as the guard does", () => {
    const { meter, disk, state } = metered(marks);
    const levels = [799, 399, 899, 900].map((free, index) => {
      disk.free = free;
      meter.wrote(step * (index + 1));
      return state.level;
    });
    expect(levels).toEqual([low, reserve, low, open]);
    expect(state.freeBytes).toBe(900);
  });

  it("keeps the level over a look that fails, and looks again later (B2)", () => {
    const { meter, disk, state } = metered(marks);
    disk.free = 500;
    meter.wrote(step);
    disk.free = new Error("EIO");
    meter.wrote(step * 2);
    expect([state.level, disk.looks]).toEqual([low, 2]);
    disk.free = 300;
    meter.wrote(step * 3);
    expect(state.level).toBe(reserve);
  });
});
