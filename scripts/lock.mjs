// A lock between processes of one machine: a folder that only one process can make, with the
// owner's process id in it. For set-up scripts that hold it for seconds; the lock of a data
// directory is another one.
//
// Invariants:
//   L1. The owner is the process that made the folder; nobody else removes it while it lives.
//   L2. A folder whose owner is dead is removed under a second lock, after its owner was read
//       again, so two processes that find it at once cannot remove each other's new lock.
//   L3. The lock is given back whether the work succeeds or fails.

import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const pollMs = 100;
/** How long one waits for another process before it gives up. */
const waitMsMax = 10 * 60 * 1000;
/**
 * A folder without an owner's id is between two system calls; after this long its maker is dead.
 */
const ownerlessMsMax = 5_000;

/**
 * Runs `work` while this process holds the lock; waits for another process that holds it.
 * @param {string} directory the lock's folder
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 * @throws Error when another process holds the lock for more than ten minutes
 */
export async function withLock(directory, work) {
  mkdirSync(dirname(directory), { recursive: true });
  const giveUpAt = performance.now() + waitMsMax;
  while (!tryMakeFolder(directory)) {
    if (performance.now() > giveUpAt) throw new Error(`another process holds ${directory}`);
    if (isAbandoned(directory)) removeAbandoned(directory);
    await delay(pollMs);
  }
  try {
    writeFileSync(join(directory, "owner"), String(process.pid));
    await work();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @param {string} directory */
function tryMakeFolder(directory) {
  try {
    mkdirSync(directory);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

/** @param {string} directory */
function isAbandoned(directory) {
  const owner = readOwner(directory);
  if (owner !== undefined) return !isAlive(owner);
  const stat = statSync(directory, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > ownerlessMsMax;
}

/** @param {string} directory */
function removeAbandoned(directory) {
  const guard = `${directory}.takeover`;
  if (!tryMakeFolder(guard)) {
    // Held for microseconds by whoever lives; what is older belongs to a process that died in
    // between.
    const stat = statSync(guard, { throwIfNoEntry: false });
    if (stat === undefined || Date.now() - stat.mtimeMs <= ownerlessMsMax) return;
    rmSync(guard, { recursive: true, force: true });
    return;
  }
  try {
    if (isAbandoned(directory)) rmSync(directory, { recursive: true, force: true });
  } finally {
    rmSync(guard, { recursive: true, force: true });
  }
}

/**
 * @param {string} directory
 * @returns {number | undefined} the owner's process id; undefined when none is written yet
 */
function readOwner(directory) {
  try {
    const owner = Number(readFileSync(join(directory, "owner"), "utf8"));
    return Number.isInteger(owner) && owner > 0 ? owner : undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** @param {number} processId */
function isAlive(processId) {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    return !isErrno(error, "ESRCH");
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function isErrno(error, code) {
  return error instanceof Error && "code" in error && error.code === code;
}
