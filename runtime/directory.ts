// Directory — what a data directory says of itself, and the refusal of whatever does not fit it.
//
//   <directory>/partita.json     format, topology, task count, epoch, tables of stores (this file)
//   <directory>/owner.pid        pid of the owner while it runs (owner-lock.ts)
//   <directory>/t0000/…          one task: its log and its environment (store/task-storage.ts)
//
// Owns: the record, written whole or not at all. Leaves to others: the lock, the tasks' own files.
//
// Invariants:
//   I1. The record is replaced by rename after it was synced: a reader sees the old or the new one.
//   I2. Nothing is changed when the directory is refused.

import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { assignTables, type RecordedStore, shapeHash } from "./compile.js";
import type { Place } from "./machine.js";
import { acquireOwnerLock } from "./owner-lock.js";
import { readSuspects, removeSuspect } from "./suspect-file.js";
import { storesOf, type Topology } from "./topology.js";

/** Number of the on-disk format: hash and seed, key codecs, records, frames, tables. */
const formatVersion = 5;
const recordFile = "partita.json";

/** The record of a directory. */
export interface DirectoryRecord {
  readonly format: number;
  readonly topology: string;
  readonly shapeHash: string;
  readonly taskCount: number;
  /** Number of the range map of these tasks: streams between tasks belong to one. */
  readonly epoch: number;
  readonly stores: Readonly<Record<string, RecordedStore>>;
}

/** The place that a path names. */
export function directoryAt(directory: string): Place {
  return {
    directory,
    claim: async () => {
      await prepareDirectory(directory);
      return await acquireOwnerLock(directory);
    },
    readRecord: () => readRecord(directory),
    writeRecord: (record) => writeRecord(directory, record),
    makeTasks: (taskCount) => makeTaskDirectories(directory, taskCount),
    suspects: {
      read: (taskCount) => readSuspects(taskDirectories(directory, taskCount)),
      remove: (suspects) => {
        for (const { task } of suspects) removeSuspect(taskDirectory(directory, task));
      },
    },
  };
}

/** Makes sure that the directory exists durably and is one: 0700 when it is made here. */
export async function prepareDirectory(directory: string): Promise<void> {
  let made: string | undefined;
  try {
    made = await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PartitaError(
      "DIRECTORY_INVALID",
      { directory, reason: "it cannot be made" },
      { cause },
    );
  }
  const found = await stat(directory);
  if (!found.isDirectory()) {
    throw new PartitaError("DIRECTORY_INVALID", { directory, reason: "it is no directory" });
  }
  // Its own name too, and also when it was there: who made it may have been killed before this.
  const highest = dirname(resolve(made ?? directory));
  for (let folder = dirname(resolve(directory)); ; folder = dirname(folder)) {
    await syncForeign(folder);
    if (folder === highest) return;
  }
}

/** Somebody else's directory: where we may make names and not read them, nothing can be done. */
async function syncForeign(folder: string): Promise<void> {
  try {
    await syncDirectory(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "EACCES" && code !== "EPERM") throw error;
  }
}

/** Where a task keeps its files. Names are numbers: nothing a user named becomes a path. */
export function taskDirectory(directory: string, task: number): string {
  return join(directory, `t${String(task).padStart(4, "0")}`);
}

/** Where all of so many tasks keep them, by number. */
export function taskDirectories(directory: string, taskCount: number): readonly string[] {
  return Array.from({ length: taskCount }, (_, task) => taskDirectory(directory, task));
}

/** Makes the tasks' directories, durably. */
async function makeTaskDirectories(directory: string, taskCount: number): Promise<void> {
  for (let task = 0; task < taskCount; task += 1) {
    await mkdir(taskDirectory(directory, task), { recursive: true, mode: 0o700 });
  }
  await syncDirectory(directory);
}

/**
 * The record that a launch of this topology leads to, in a place with one or a new place.
 * Writes nothing. `taskCount` is what the caller asked for; `undefined` takes the recorded one, or
 * the default.
 * @throws PartitaError FORMAT_UNKNOWN, TASK_COUNT_MISMATCH, TOPOLOGY_MISMATCH, DIRECTORY_INVALID
 */
export async function judgeDirectory(
  place: Place,
  declared: Topology,
  taskCount: number | undefined,
): Promise<DirectoryRecord> {
  const recorded = await place.readRecord();
  if (recorded !== undefined) refuseMisfit(place.directory, declared, taskCount, recorded);
  return {
    format: formatVersion,
    topology: declared.name,
    shapeHash: shapeHash(declared),
    taskCount: recorded?.taskCount ?? taskCount ?? limits.tasksDefault,
    epoch: recorded?.epoch ?? 1,
    stores: assignTables(declared, recorded?.stores ?? {}),
  };
}

/** Keeps the record, once nothing can be refused any more and before the first task begins. */
export async function recordDirectory(place: Place, record: DirectoryRecord): Promise<void> {
  const recorded = await place.readRecord();
  if (JSON.stringify(record) !== JSON.stringify(recorded)) await place.writeRecord(record);
}

function refuseMisfit(
  directory: string,
  declared: Topology,
  taskCount: number | undefined,
  recorded: DirectoryRecord,
): void {
  if (recorded.topology !== declared.name) {
    throw new PartitaError("TOPOLOGY_MISMATCH", {
      directory,
      recorded: `topology "${recorded.topology}"`,
      declared: `topology "${declared.name}"`,
    });
  }
  if (taskCount !== undefined && taskCount !== recorded.taskCount) {
    throw new PartitaError("TASK_COUNT_MISMATCH", {
      directory,
      recorded: recorded.taskCount,
      asked: taskCount,
    });
  }
  for (const [name, store] of storesOf(declared)) {
    const known = recorded.stores[name];
    if (known === undefined || known.key === store.key.name) continue;
    throw new PartitaError("TOPOLOGY_MISMATCH", {
      directory,
      recorded: `store "${name}" with keys ${known.key} (shape ${recorded.shapeHash})`,
      declared: `store "${name}" with keys ${store.key.name} (shape ${shapeHash(declared)})`,
    });
  }
}

async function readRecord(directory: string): Promise<DirectoryRecord | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, recordFile), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (cause) {
    const reason = `${recordFile} is no JSON`;
    throw new PartitaError("DIRECTORY_INVALID", { directory, reason }, { cause });
  }
  const format =
    typeof record === "object" && record !== null && "format" in record ? record.format : null;
  if (format !== formatVersion) {
    const known = [String(formatVersion)];
    throw new PartitaError("FORMAT_UNKNOWN", { directory, recorded: String(format), known });
  }
  // cast: this format number is written by writeRecord alone, whole or not at all.
  return record as DirectoryRecord;
}

async function writeRecord(directory: string, record: DirectoryRecord): Promise<void> {
  const path = join(directory, recordFile);
  const draft = `${path}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(record, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncDirectory(directory);
}

/** Makes the names in a directory durable. */
async function syncDirectory(directory: string): Promise<void> {
  const folder = await open(directory, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
