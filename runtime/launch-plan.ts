// Launch plan — what a launch will be, judged before anything begins: the directory's record, the
// partition of tasks over threads, shared memory and bounds.

import { limits } from "../base/limits.js";
import type { ClusterOptions } from "./cluster-options.js";
import { type DirectoryRecord, judgeDirectory } from "./directory.js";
import { createDiskMemory } from "./disk-state.js";
import { createNotesMemory } from "./handler-notes.js";
import type { HostSpec } from "./hosting.js";
import type { Machine } from "./machine.js";
import { streamWindow } from "./outbox.js";
import type { Suspect } from "./suspect-file.js";
import type { Topology } from "./topology.js";
import { beatMsOf } from "./watchdog.js";

/** What a launch leads to. */
export interface LaunchPlan {
  /** To be kept once every thread has opened its tasks. */
  readonly record: DirectoryRecord;
  readonly spec: HostSpec;
  /** What the watchdog left when it stopped the process before this one. */
  readonly suspects: readonly Suspect[];
}

/** The record and the spec that a launch leads to; nothing of them is written yet but folders. */
export async function planLaunch(
  declared: Topology,
  options: ClusterOptions,
  machine: Machine,
): Promise<LaunchPlan> {
  const { place } = machine;
  const record = await judgeDirectory(place, declared, options.taskCount);
  const { taskCount } = record;
  await place.makeTasks(taskCount);
  const suspects = place.suspects?.read(taskCount) ?? [];
  const tables = Object.entries(record.stores).map(([name, { table }]) => [name, table] as const);
  const threadCount = Math.min(options.threadCount, taskCount);
  const { directory } = place;
  const spec: HostSpec = {
    plan: {
      topology: declared.name,
      taskCount,
      threadCount,
      tables: Object.fromEntries(tables),
      epoch: record.epoch,
      shapeHash: record.shapeHash,
    },
    directory,
    memories: machine.memories(taskCount, options.arenaBytes),
    durability: options.durability,
    syncIntervalMs: options.syncIntervalMs,
    bounds: options.bounds,
    callRetention: options.callRetention,
    // A frame is a batch and what one more message may add: it must fit an arena with room to
    // spare.
    batchBytesMax:
      machine.bounds?.batchBytesMax ??
      Math.min(limits.batchBytesMax, Math.floor(options.arenaBytes / 4)),
    valueBytesMax: Math.min(limits.valueBytesMax, Math.floor(options.arenaBytes / 4)),
    streamWindow: machine.bounds?.streamWindow ?? streamWindow,
    guards: {
      disk: { directory, ...options.diskMarks, memory: createDiskMemory() },
      notes: createNotesMemory(threadCount),
      beatMs: machine.watches ? beatMsOf(options.handlerTimeoutMs) : 0,
      suspectHints: hintsOf(suspects),
    },
  };
  return { record, spec, suspects };
}

/** The rows that ran for certain when the process was stopped. */
function hintsOf(suspects: readonly Suspect[]): Record<number, number> {
  const hints: Record<number, number> = {};
  for (const suspect of suspects) {
    if (suspect.kind === "node") hints[suspect.task] = suspect.arrivalNo;
  }
  return hints;
}
