// Faults — what a trace says of a fault, and that points follow from their numbers.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { string } from "../../../index.js";
import { ownerOf } from "../../../runtime/partition.js";
import { hashKey } from "../../../store/key-hash.js";
import { acknowledgedBehind, firedIn } from "../../../trials/faults/fault-trace.js";
import type { Ground, Occurrence } from "../../../trials/faults/ground.js";
import { type Fault, injection, pointOf } from "../../../trials/faults/plan.js";
import { whenStill } from "../../../trials/strace/strace.js";
import { nothingKnown } from "../../../trials/workload/known.js";
import { tempDirectory } from "../../support/temp-directory.js";

const journal = "/tmp/journal";

function hex(text: string): string {
  const digits = Array.from(Buffer.from(text), (byte) => byte.toString(16).padStart(2, "0"));
  return digits.map((byte) => `\\x${byte}`).join("");
}

function trace(...lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join("\n")}\n`, "latin1");
}

function say(line: string): string {
  const text = `${line}\n`;
  return `1 write(9<${hex(journal)}>, "${hex(text)}", ${text.length}) = ${text.length}`;
}

function failedSync(task: number): string {
  const file = hex(`/d/t000${task}/log/0000000000000001.seg`);
  return `2 fdatasync(5<${file}>) = -1 EIO (Input/output error) (INJECTED)`;
}

describe("faults — whether one has happened", () => {
  it("finds the call and its file: of an error, of a delay, of a kill", () => {
    const file = hex("/d/t0000/log");
    const at = { name: "fsync", path: "/d/t0000/log" };
    const error = trace("2 fsync(4) = 0", `2 fsync(5<${file}>) = -1 EIO (x) (INJECTED)`);
    expect(firedIn(error, "fsync", false)).toEqual(at);
    expect(firedIn(trace(`2 fsync(5<${file}>) = 0 (DELAYED)`), "fsync", false)).toEqual(at);
    expect(firedIn(trace(`2 fsync(5<${file}>) = ?`), "fsync", true)).toEqual(at);
  });

  it("finds nothing where the call was another one, or simply failed", () => {
    const lines = trace('2 unlink("\\x61") = -1 ENOENT (No such file)', "2 write(1) = ?");
    expect(firedIn(lines, "unlink", false)).toBeUndefined();
    expect(firedIn(lines, "fsync", true)).toBeUndefined();
  });
});

describe("faults — what is acknowledged behind a failed sync", () => {
  const task = ownerOf(hashKey(string.encode("log-0")), 2);

  it("is reported when it was asked for behind it, of the same task", () => {
    const lines = [failedSync(task), say("try log log-0 7"), say("ack log log-0 7")];
    expect(acknowledgedBehind(trace(...lines), journal, 2)).toEqual(["log log-0 7"]);
  });

  it("is no offence when it was asked for before, or belongs to another task", () => {
    const before = [say("try log log-0 7"), failedSync(task), say("ack log log-0 7")];
    expect(acknowledgedBehind(trace(...before), journal, 2)).toEqual([]);
    const other = [failedSync(1 - task), say("try log log-0 7"), say("ack log log-0 7")];
    expect(acknowledgedBehind(trace(...other), journal, 2)).toEqual([]);
  });
});

describe("faults — points", () => {
  const occurrence = (change: Partial<Occurrence>): Occurrence => {
    return { phase: "load", name: "fdatasync", path: "p", isSteady: true, n: 3, ...change };
  };
  const spec = {
    ...{ seed: 1, life: 1, firstInvocation: 1, tasks: 2, threads: 1, arenaBytes: 1_048_576 },
    ...{ requests: 1, invocations: 1, closeAfter: null, killAfter: null },
  };
  const occurrences = [
    occurrence({}),
    occurrence({ phase: "launch", name: "openat", n: 1 }),
    ...(["recovery", "swap", "checkpoint", "close"] as const).map((phase) => occurrence({ phase })),
  ];
  const ground: Ground = { template: undefined, known: nothingKnown(), spec, occurrences };

  it("follow from seed, number and attempt, and come to every phase", () => {
    const seen = new Set<string>();
    for (let number = 1; number <= 100; number += 1) {
      const point = pointOf([ground], 1, number, 1);
      expect(pointOf([ground], 1, number, 1)).toEqual(point);
      seen.add(point.occurrence.phase);
    }
    expect(seen.size).toBe(6);
  });

  it.each<readonly [Fault, string]>([
    ["kill", "fdatasync:signal=KILL:when=3"],
    ["EIO", "fdatasync:error=EIO:when=3"],
    ["ever ENOSPC", "fdatasync:error=ENOSPC:when=3+"],
    ["slow", "fdatasync:delay_enter=20000:when=3+"],
  ])("say %s in strace's words", (fault, words) => {
    expect(injection({ number: 1, ground, occurrence: occurrence({}), fault })).toBe(words);
  });
});

describe("faults — a process that stands still", () => {
  function watched(file?: string) {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const end = vi.fn();
    return { end, forget: whenStill({ limitMs: 1_000, ...(file && { journal: file }) }, end) };
  }

  it("goes on as long as its journal grows, and ends when that does not", () => {
    const file = join(tempDirectory(), "journal");
    const { end } = watched(file);
    for (let line = 0; line < 3; line += 1) {
      vi.advanceTimersByTime(900);
      appendFileSync(file, "launched\n");
      vi.advanceTimersByTime(100);
    }
    expect(end).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(end).toHaveBeenCalledTimes(1);
  });

  it("ends when it has not begun one, or has none, and its time is over", () => {
    for (const file of [join(tempDirectory(), "journal"), undefined]) {
      const { end } = watched(file);
      vi.advanceTimersByTime(999);
      expect(end).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(end).toHaveBeenCalledTimes(1);
    }
  });

  it("is not ended when it has ended by itself", () => {
    const { end, forget } = watched();
    forget();
    vi.advanceTimersByTime(5_000);
    expect(end).not.toHaveBeenCalled();
  });
});
