// Recovery — brings a task's arenas to where its log ends.
//
// Owns: which recovered segment goes into which arena, and taking over, before anything is served,
// the segments that fit none. Leaves to others: judging the log (replay.ts), the storage that
// results.
//
// Invariants:
//   R1. Afterwards environment, frozen and active arena together hold every durable record, newest
//       first.
//   R2. What is indexed was checked: the frame's checksum covers it.

import { assert } from "../base/invariant.js";
import { Arena, arenaStart } from "./arena.js";
import { type KnownKeys, nothingKnown } from "./arena-scan.js";
import type { CheckpointJob, CheckpointResult } from "./checkpoint.js";
import type { Environment } from "./environment.js";
import { deleteIndexFile, type KeptIndex, readIndexFile } from "./index-file.js";
import { type Indexed, indexSegment } from "./indexing.js";
import { type ReplayedSegment, replayLog } from "./replay.js";
import {
  type CheckpointMark,
  checkpointKey,
  clearedTable,
  clearKey,
  decodeCheckpoint,
  decodeVersion,
  storageTable,
} from "./system-key.js";
import { deleteSegment } from "./task-files.js";
import { type ControlWords, createArenaMemory } from "./task-memory.js";

/** Runs a checkpoint job: in a pool of threads, or on this one. */
export type CheckpointRunner = (job: CheckpointJob) => Promise<CheckpointResult>;

/** What recovery is given. The generation must be odd. */
export interface RecoveryParts {
  readonly directory: string;
  readonly taskId: number;
  readonly environmentPath: string;
  readonly environment: Environment;
  readonly control: ControlWords;
  readonly arenas: readonly [Arena, Arena];
  readonly runCheckpoint: CheckpointRunner;
}

/** Where the log ends. Arena 0 is active, arena 1 holds `frozen` when there is one. */
export interface Recovered {
  readonly active: ReplayedSegment | undefined;
  readonly frozen: ReplayedSegment | undefined;
  /** Up to where the index of the active one was found in a file; 0 when it was made here. */
  readonly keptEnd: number;
  /** What the arenas hold of the runtime's own tables. */
  readonly known: readonly [KnownKeys, KnownKeys];
  readonly batch: number;
  readonly version: number;
  readonly frames: number;
  readonly cutBytes: number;
}

export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const { control, arenas, environment } = parts;
  // Fresh memory is zeros: writing zeros into it would take pages from the system for nothing.
  if (control.takeOver()) for (const arena of arenas) arena.empty();
  control.forgetCleared();
  control.setActive(0);
  control.setPublishedEnd(0, arenaStart);
  control.setPublishedEnd(1, arenaStart);
  const mark = readMark(environment);
  // The newest is to be in arena 0, the one before it in arena 1: as a rule they are read there.
  const replay = replayLog(parts.directory, parts.taskId, mark.batch, (newer, bytes) => {
    const memory = arenas[newer]?.records.bytes;
    return memory === undefined || memory.length < bytes ? new Uint8Array(bytes) : memory;
  });
  const segments = [...replay.segments];
  const frames = segments.reduce((sum, segment) => sum + segment.frames, 0);
  let { batch, version } = mark;
  const active = takeFitting(segments, arenas[0]);
  const frozen = active === undefined ? undefined : takeFitting(segments, arenas[1]);
  for (const segment of segments) {
    const taken = await takeOver(parts, segment, version);
    version = Math.max(version, taken);
    batch = Math.max(batch, segment.lastBatch);
  }
  environment.refresh();
  readClears(environment, control);
  // The newer one first: it may have been read to where the older one is to be.
  if (active !== undefined) place(arenas[0], active);
  if (frozen !== undefined) place(arenas[1], frozen);
  const known: [KnownKeys, KnownKeys] = [nothingKnown, nothingKnown];
  const kept = keptIndex(parts, active);
  for (const [older, segment] of [frozen, active].entries()) {
    if (segment === undefined) continue;
    const arena = older === 0 ? 1 : 0;
    const indexed = index(arenas[arena], segment, control, arena === 0 ? kept : undefined);
    version = Math.max(version, indexed.version);
    known[arena] = indexed;
    batch = Math.max(batch, segment.lastBatch);
    control.setPublishedEnd(arena, segment.end);
  }
  control.setOther(frozen === undefined ? "empty" : "frozen");
  const { cutBytes } = replay;
  return { active, frozen, keptEnd: kept?.end ?? 0, known, batch, version, frames, cutBytes };
}

/** The index that was kept of the active segment, now in its arena. */
function keptIndex(
  { directory, taskId, arenas }: RecoveryParts,
  active: ReplayedSegment | undefined,
): KeptIndex | undefined {
  if (active === undefined) {
    deleteIndexFile(directory);
    return undefined;
  }
  return readIndexFile(
    { directory, taskId, firstBatch: active.file.firstBatch },
    arenas[0],
    active.end,
  );
}

/** Takes the newest segment off the list when the arena can hold it. */
function takeFitting(segments: ReplayedSegment[], arena: Arena): ReplayedSegment | undefined {
  const newest = segments.at(-1);
  if (newest === undefined || !arena.couldFit(newest.end - arenaStart, newest.records)) {
    return undefined;
  }
  return segments.pop();
}

/** Writes a segment that no arena can hold into the environment. Returns its highest version. */
async function takeOver(
  parts: RecoveryParts,
  segment: ReplayedSegment,
  versionBefore: number,
): Promise<number> {
  // Small records need more slots than their bytes say.
  const memory = createArenaMemory(segment.end, segment.records);
  const arena = new Arena(memory);
  place(arena, segment);
  const version = Math.max(versionBefore, index(arena, segment, parts.control).version);
  const { taskId, environmentPath } = parts;
  await parts.runCheckpoint({
    taskId,
    environmentPath,
    arena: memory,
    batch: segment.lastBatch,
    version,
  });
  deleteSegment(parts.directory, segment.file);
  return version;
}

/** Brings the bytes of a segment into an arena, unless they are in it. */
function place(arena: Arena, { bytes }: ReplayedSegment): void {
  const memory = arena.records.bytes;
  if (bytes.buffer !== memory.buffer) memory.set(bytes, 0);
}

/** Indexes a segment whose bytes are in an empty arena, and notes what its records clear. */
function index(
  arena: Arena,
  segment: ReplayedSegment,
  control: ControlWords,
  kept?: KeptIndex,
): Indexed {
  const { records } = arena;
  const notice = (offset: number): void => {
    const table = clearedTable(records.key(offset));
    assert(table !== undefined, "the log has nothing but clears in the storage's own table");
    control.setCleared(table, decodeVersion(records.value(offset)));
  };
  return indexSegment(arena, segment, notice, kept);
}

function readMark(environment: Environment): CheckpointMark {
  const stored = environment.get(storageTable, checkpointKey);
  return stored === undefined ? { batch: 0, version: 0 } : decodeCheckpoint(stored.value);
}

function readClears(environment: Environment, control: ControlWords): void {
  const range = { from: clearKey(0), to: clearKey(0xffff) };
  for (const row of environment.page(storageTable, range, 0xffff)) {
    const table = clearedTable(row.key);
    assert(table !== undefined, "between keys of clears lie keys of clears");
    control.setCleared(table, decodeVersion(row.value));
  }
}
