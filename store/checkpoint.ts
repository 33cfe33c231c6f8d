// Checkpoint — the job that writes a frozen arena into the environment, in key order, in bounded
// steps.
//
// Runs in a pool thread (or inline); it shares with the owner nothing but the frozen arena, which
// nobody changes while it runs. Owns: the order, the steps, the mark at the end. Leaves to others:
// when to run (task-storage.ts), transactions (environment.ts).
//
// Invariants:
//   C1. Steps are idempotent: a job that died is run again from the start, over the same or a
//       replayed arena. Readers see the arena's records first, so half a job changes nothing they
//       see.
//   C2. The mark is in the last step: what it covers is in the environment.
//   C3. A tombstone of a row born in this arena is left out: no layer below ever held the row.

import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { Arena } from "./arena.js";
import { Environment, type EnvironmentWrite } from "./environment.js";
import type { RecordMemory } from "./record.js";
import {
  checkpointKey,
  clearedTable,
  decodeVersion,
  encodeCheckpoint,
  storageTable,
} from "./system-key.js";
import type { ArenaMemory } from "./task-memory.js";

/** What the job is given; all of it crosses threads. */
export interface CheckpointJob {
  readonly taskId: number;
  readonly environmentPath: string;
  readonly arena: ArenaMemory;
  /** Newest batch of the arena, and the highest version used up to it. */
  readonly batch: number;
  readonly version: number;
}

/** What it did. */
export interface CheckpointResult {
  readonly rowsWritten: number;
  readonly rowsSkipped: number;
  readonly rowsPurged: number;
  readonly steps: number;
}

const purgePageRows = 1_000;

/** Runs a job. Throws STORE_CORRUPT when a record in memory is not what was written. */
export async function runCheckpoint(job: CheckpointJob): Promise<CheckpointResult> {
  const environment = Environment.open(job.environmentPath, {
    taskId: job.taskId,
    readOnly: false,
  });
  try {
    return writeArena(job, environment);
  } finally {
    await environment.close();
  }
}

function writeArena(job: CheckpointJob, environment: Environment): CheckpointResult {
  const arena = new Arena(job.arena);
  const { records } = arena;
  const offsets = inKeyOrder(records, arena.offsets());
  const cleared = clearsIn(records, offsets);
  let rowsWritten = 0;
  let rowsSkipped = 0;
  let steps = 0;
  let step: EnvironmentWrite[] = [];
  let stepBytes = 0;
  const flush = (): void => {
    environment.applyStep(step);
    steps += 1;
    step = [];
    stepBytes = 0;
  };
  for (const offset of offsets) {
    const write = writeOf(job, records, offset, cleared);
    if (write === undefined) {
      rowsSkipped += 1;
      continue;
    }
    step.push(write);
    stepBytes += write.key.length + (write.value?.length ?? 0) + 32;
    rowsWritten += 1;
    if (stepBytes >= limits.checkpointStepBytesMax) flush();
  }
  let rowsPurged = 0;
  for (const [table, version] of cleared) rowsPurged += purge(environment, table, version);
  const { batch, version } = job;
  step.push({
    table: storageTable,
    key: checkpointKey,
    version,
    value: encodeCheckpoint({ batch, version }),
  });
  flush();
  return { rowsWritten, rowsSkipped, rowsPurged, steps };
}

/** What the environment is to hold for a record; `undefined` when it need not hear of it. */
function writeOf(
  job: CheckpointJob,
  records: RecordMemory,
  offset: number,
  cleared: ReadonlyMap<number, number>,
): EnvironmentWrite | undefined {
  if (!records.isSound(offset, records.bytes.length)) {
    const reason = `the record at ${offset} of the frozen arena changed in memory`;
    throw new PartitaError("STORE_CORRUPT", { taskId: job.taskId, reason });
  }
  const table = records.table(offset);
  const version = records.version(offset);
  const gone = records.isTombstone(offset) || version <= (cleared.get(table) ?? 0);
  if (gone && records.isBorn(offset)) return undefined;
  const key = records.key(offset).slice();
  return { table, key, version, value: gone ? undefined : records.value(offset).slice() };
}

/** Tables that records of this arena clear, and up to which version. */
function clearsIn(records: RecordMemory, offsets: Iterable<number>): ReadonlyMap<number, number> {
  const cleared = new Map<number, number>();
  for (const offset of offsets) {
    if (records.table(offset) !== storageTable) break;
    const table = clearedTable(records.key(offset));
    if (table !== undefined) cleared.set(table, decodeVersion(records.value(offset)));
  }
  return cleared;
}

/** Removes what a clear hides, in bounded steps. */
function purge(environment: Environment, table: number, version: number): number {
  let purged = 0;
  let from: Uint8Array = new Uint8Array(0);
  for (;;) {
    environment.refresh();
    const rows = environment.page(table, { from }, purgePageRows);
    const hidden = rows.filter((row) => row.version <= version);
    environment.applyStep(
      hidden.map((row) => ({ table, key: row.key, version: row.version, value: undefined })),
    );
    purged += hidden.length;
    const last = rows.at(-1);
    if (last === undefined) return purged;
    from = new Uint8Array(last.key.length + 1);
    from.set(last.key);
  }
}

/**
 * Offsets by table and key. Most comparisons are settled by a number made of the table and the
 * first five bytes of the key: comparing bytes each time costs several times as much.
 */
function inKeyOrder(records: RecordMemory, offsets: Int32Array): Int32Array {
  const prefixes = new Float64Array(offsets.length);
  const order = new Uint32Array(offsets.length);
  for (const [index, offset] of offsets.entries()) {
    const key = records.key(offset);
    let prefix = records.table(offset);
    for (let at = 0; at < 5; at += 1) prefix = prefix * 256 + (key[at] ?? 0);
    prefixes[index] = prefix;
    order[index] = index;
  }
  order.sort((a, b) => {
    const byPrefix = (prefixes[a] ?? 0) - (prefixes[b] ?? 0);
    if (byPrefix !== 0) return byPrefix;
    return Buffer.compare(records.key(offsets[a] ?? 0), records.key(offsets[b] ?? 0));
  });
  return Int32Array.from(order, (index) => offsets[index] ?? 0);
}
