// Partition: which task owns which key hashes.
//
// The 32-bit hash space is cut into `taskCount` contiguous half-open ranges that differ by at most
// one in size. Part of the on-disk format: every key a task holds has its hash in the task's range.
//
// Invariants:
//   P1. Ranges are disjoint, ascending and cover [0, 2^32).
//   P2. `ownerOf(h)` is the one task whose range contains h; router and task both assert it.

import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";

/** Number of different key hashes. */
export const hashSpaceSize: number = 2 ** 32;

assert(limits.tasksMax <= hashSpaceSize, "every task needs a non-empty range");

/** Half-open interval `[start, end)` of the hash space. */
export interface PartitionRange {
  readonly start: number;
  readonly end: number;
}

/** The ranges of `taskCount` tasks, ascending; task `i` owns the `i`-th. */
export function splitHashSpace(taskCount: number): readonly PartitionRange[] {
  assert(
    Number.isInteger(taskCount) && taskCount >= 1 && taskCount <= limits.tasksMax,
    () => `task count ${taskCount} is not in 1..${limits.tasksMax}`,
  );
  const ranges: PartitionRange[] = [];
  for (let task = 0; task < taskCount; task += 1) {
    ranges.push({ start: rangeStart(task, taskCount), end: rangeStart(task + 1, taskCount) });
  }
  return ranges;
}

/** The task whose range contains `keyHash`. O(1). */
export function ownerOf(keyHash: number, taskCount: number): number {
  // The estimate is exact but for rounding at a boundary, which the two comparisons settle.
  let task = Math.floor((keyHash / hashSpaceSize) * taskCount);
  if (keyHash < rangeStart(task, taskCount)) task -= 1;
  else if (keyHash >= rangeStart(task + 1, taskCount)) task += 1;
  return task;
}

function rangeStart(task: number, taskCount: number): number {
  // Multiplied first: 42 bits are exact, while a rounded quotient could lose the last hash of all.
  return Math.floor((hashSpaceSize * task) / taskCount);
}
