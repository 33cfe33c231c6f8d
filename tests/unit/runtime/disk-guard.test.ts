// Bugs here would look like work that is accepted on a full disk, a guard that flaps between two
// levels, or one that never lets anything in again.
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { DiskGuard, type DiskMarks, nextLevel } from "../../../runtime/disk-guard.js";
import {
  createDiskMemory,
  type DiskLevel,
  DiskState,
  diskLevel,
} from "../../../runtime/disk-state.js";
import { StartGate } from "../../../runtime/start-gate.js";
import { ManualSystem } from "../../support/manual-system.js";

const { open, low, reserve } = diskLevel;
const marks: DiskMarks = { diskLowBytes: 800, diskReserveBytes: 400 };

function stateOf(): DiskState {
  return new DiskState({ directory: "d", ...marks, memory: createDiskMemory() });
}

function guarded(changes: Partial<DiskMarks> = {}) {
  const system = new ManualSystem();
  const state = stateOf();
  const disk: { free: number | Error; looks: number } = { free: 1_000, looks: 0 };
  const probe = async (): Promise<number> => {
    disk.looks += 1;
    if (disk.free instanceof Error) throw disk.free;
    return disk.free;
  };
  const place = { directory: "d", freeBytes: probe };
  const guard = new DiskGuard({ system, state, marks: { ...marks, ...changes }, place });
  const look = async (free: number | Error): Promise<DiskLevel> => {
    disk.free = free;
    system.advance(limits.diskLookMs);
    await system.settle();
    return state.level;
  };
  return { system, state, guard, disk, look };
}

describe("disk guard — levels", () => {
  const steps: readonly (readonly [DiskLevel, number, DiskLevel])[] = [
    [open, 800, open],
    [open, 799, low],
    [open, 400, low],
    [open, 399, reserve],
    [low, 899, low],
    [low, 900, open],
    [low, 400, low],
    [low, 399, reserve],
    [reserve, 399, reserve],
    [reserve, 449, reserve],
    [reserve, 450, low],
    [reserve, 899, low],
    [reserve, 900, open],
  ];

  for (const [from, freeBytes, to] of steps) {
    it(`goes from ${from} to ${to} with ${freeBytes} bytes free`, () => {
      expect(nextLevel(from, freeBytes, marks)).toBe(to);
    });
  }

  it("has no second level when the reserve is 0", () => {
    expect(nextLevel(open, 0, { ...marks, diskReserveBytes: 0 })).toBe(low);
  });
});

describe("disk guard — looks", () => {
  it("has looked when it has begun, and looks again and again until it is closed", async () => {
    const { guard, state, disk, look } = guarded();
    disk.free = 500;
    await guard.begin();
    expect(state.level).toBe(low);
    expect(await look(300)).toBe(reserve);
    expect(await look(5_000)).toBe(open);
    expect(disk.looks).toBe(3);

    guard.close();
    expect(await look(0)).toBe(open);
    expect(disk.looks).toBe(3);
  });

  it("does not begin when the system does not say what is free", async () => {
    const { guard, disk } = guarded();
    const cause = new Error("ENOSYS");
    disk.free = cause;
    const refused = await guard.begin().catch((error: unknown) => error);
    expect(PartitaError.is(refused, "DIRECTORY_INVALID") && refused.cause).toBe(cause);
  });

  it("keeps its level over a look that fails, counts it, and goes on", async () => {
    const { guard, look } = guarded();
    await guard.begin();
    expect(await look(500)).toBe(low);
    expect(await look(new Error("EIO"))).toBe(low);
    expect(guard.report()).toEqual({ ...marks, level: "low", freeBytes: 500, failedLooks: 1 });
    expect(await look(1_000)).toBe(open);
  });

  it("leaves what a task has found while it looked, which is newer", async () => {
    const { guard, state, disk, system } = guarded();
    await guard.begin();
    system.advance(limits.diskLookMs);
    // The probe has been asked and has not been heard.
    state.set(reserve, 300);
    await system.settle();
    expect([state.level, state.freeBytes, disk.looks]).toEqual([reserve, 300, 2]);
    system.advance(limits.diskLookMs);
    await system.settle();
    expect([state.level, state.freeBytes]).toEqual([open, 1_000]);
  });

  it("never looks when it is turned off", async () => {
    const { guard, disk, look } = guarded({ diskLowBytes: 0, diskReserveBytes: 0 });
    await guard.begin();
    expect(await look(0)).toBe(open);
    expect(disk.looks).toBe(0);
    expect(guard.report()).toMatchObject({ level: "open", freeBytes: null });
  });

  it("says in its error what is free and what it takes", async () => {
    const { guard, state, disk } = guarded();
    disk.free = 123.5;
    await guard.begin();
    const { code, details } = state.refusal();
    expect(code).toBe("DISK_LOW");
    expect(details).toEqual({ directory: "d", freeBytes: 123, diskLowBytes: 800 });
  });
});

describe("start gate", () => {
  it("is shut in the reserve alone, and tells when it is open again, once", () => {
    const system = new ManualSystem();
    const state = stateOf();
    const gate = new StartGate(system, state);
    let opened = 0;
    gate.onOpen(() => {
      opened += 1;
    });
    state.set(low, 500);
    expect(gate.mayStart()).toBe(true);
    state.set(reserve, 300);
    expect([gate.mayStart(), gate.mayStart()]).toEqual([false, false]);
    system.advance(limits.diskLookMs);
    system.advance(limits.diskLookMs);
    expect(opened).toBe(0);
    state.set(low, 500);
    system.advance(limits.diskLookMs);
    system.advance(limits.diskLookMs);
    expect(opened).toBe(1);
    expect(gate.mayStart()).toBe(true);
  });

  it("tells nobody when it was never asked, or is closed", () => {
    const system = new ManualSystem();
    const state = stateOf();
    const gate = new StartGate(system, state);
    let opened = 0;
    gate.onOpen(() => {
      opened += 1;
    });
    state.set(reserve, 300);
    state.set(open, 5_000);
    system.advance(limits.diskLookMs);
    state.set(reserve, 300);
    gate.mayStart();
    gate.close();
    state.set(open, 5_000);
    system.advance(limits.diskLookMs);
    expect(opened).toBe(0);
  });
});
