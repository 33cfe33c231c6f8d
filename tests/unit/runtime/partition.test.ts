// Bugs here would look like a key that two tasks own, or none: lost and doubled writes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { hashSpaceSize, ownerOf, splitHashSpace } from "../../../runtime/partition.js";
import { check } from "../../support/property.js";

describe("partition — ranges", () => {
  it("covers the hash space without gap or overlap for every task count", () => {
    for (const taskCount of [1, 2, 3, 4, 5, 7, 8, 13, 64, 100, 255, 1_000, 1_024]) {
      const ranges = splitHashSpace(taskCount);
      expect(ranges).toHaveLength(taskCount);
      expect(ranges[0]?.start).toBe(0);
      expect(ranges.at(-1)?.end).toBe(hashSpaceSize);
      for (const [task, range] of ranges.entries()) {
        expect(range.start).toBeLessThan(range.end);
        if (task > 0) expect(range.start).toBe(ranges[task - 1]?.end);
      }
    }
  });

  it("makes ranges that differ by at most one", () => {
    for (const taskCount of [3, 7, 1_000]) {
      const sizes = splitHashSpace(taskCount).map((range) => range.end - range.start);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
  });

  it("gives the last hash of all to the last task, for every task count there is", () => {
    for (let taskCount = 1; taskCount <= limits.tasksMax; taskCount += 1) {
      const last = splitHashSpace(taskCount).at(-1);
      expect([taskCount, last?.end]).toEqual([taskCount, hashSpaceSize]);
      expect(ownerOf(hashSpaceSize - 1, taskCount)).toBe(taskCount - 1);
      expect(ownerOf(0, taskCount)).toBe(0);
    }
  });

  it("refuses a task count outside of the limits", () => {
    expect(() => splitHashSpace(0)).toThrow("task count 0");
    expect(() => splitHashSpace(1.5)).toThrow("task count 1.5");
  });
});

describe("partition — owner", () => {
  it("names the task whose range contains the hash", async () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 1_024 }),
      fc.nat(hashSpaceSize - 1),
      (taskCount, keyHash) => {
        const range = splitHashSpace(taskCount)[ownerOf(keyHash, taskCount)];
        expect(range).toBeDefined();
        expect(keyHash >= (range?.start ?? 1) && keyHash < (range?.end ?? 0)).toBe(true);
      },
    );
    await check(property, { runs: 500 });
  });

  it("is exact at both ends of every range", () => {
    for (const taskCount of [1, 3, 7, 48, 1_000]) {
      for (const [task, range] of splitHashSpace(taskCount).entries()) {
        expect(ownerOf(range.start, taskCount)).toBe(task);
        expect(ownerOf(range.end - 1, taskCount)).toBe(task);
      }
    }
  });
});
