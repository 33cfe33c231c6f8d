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
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { Arena } from "./arena.js";
import { Environment, type StepWriter } from "./environment.js";
import { inKeyOrder } from "./key-order.js";
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
  const rows = new ArenaRows(job, arena.records, inKeyOrder(arena.records, arena.offsets()));
  let rowsPurged = 0;
  for (const [table, version] of rows.cleared) rowsPurged += purge(environment, table, version);
  const mark = checkpointMark(job);
  let steps = 0;
  for (let ended = false; !ended; steps += 1) {
    environment.step((writer) => {
      ended = rows.write(writer);
      if (ended) writer.put(storageTable, job.version, mark, 0, checkpointKey.length, mark.length);
    });
  }
  return { rowsWritten: rows.written, rowsSkipped: rows.skipped, rowsPurged, steps };
}

/** Key and value of the mark. */
function checkpointMark({ batch, version }: CheckpointJob): Uint8Array {
  return Buffer.concat([checkpointKey, encodeCheckpoint({ batch, version })]);
}

/** The rows of an arena on their way into the environment, straight from where they lie. */
class ArenaRows {
  /** Tables that records of this arena clear, and up to which version. */
  readonly cleared: ReadonlyMap<number, number>;
  written = 0;
  skipped = 0;
  readonly #taskId: number;
  readonly #records: RecordMemory;
  readonly #offsets: Int32Array;
  #next = 0;

  /** `offsets`: by table and key. */
  constructor({ taskId }: CheckpointJob, records: RecordMemory, offsets: Int32Array) {
    this.#taskId = taskId;
    this.#records = records;
    this.#offsets = offsets;
    this.cleared = this.#clears();
  }

  /** Each is looked at before it purges anything: what it removes no log brings back. */
  #clears(): ReadonlyMap<number, number> {
    const records = this.#records;
    const cleared = new Map<number, number>();
    for (const offset of this.#offsets) {
      if (records.table(offset) !== storageTable) break;
      this.#assertSound(offset);
      const table = clearedTable(records.key(offset));
      assert(table !== undefined, "the log has nothing but clears in the storage's own table");
      cleared.set(table, decodeVersion(records.value(offset)));
    }
    return cleared;
  }

  #assertSound(offset: number): void {
    const records = this.#records;
    if (records.isSound(offset, records.bytes.length)) return;
    const reason = `the record at ${offset} of the frozen arena changed in memory`;
    throw new PartitaError("STORE_CORRUPT", { taskId: this.#taskId, reason });
  }

  /** Writes as many as one step takes; true when these were the last. */
  write(writer: StepWriter): boolean {
    const offsets = this.#offsets;
    const writtenBefore = this.written;
    let bytes = 0;
    for (; this.#next < offsets.length; this.#next += 1) {
      if (bytes >= limits.checkpointStepBytesMax) return false;
      if (this.written - writtenBefore >= limits.checkpointStepRowsMax) return false;
      bytes += this.#writeOne(writer, offsets[this.#next] ?? 0);
    }
    return true;
  }

  /** Returns about the bytes it takes; none when the environment need not hear of it (C3). */
  #writeOne(writer: StepWriter, offset: number): number {
    this.#assertSound(offset);
    const records = this.#records;
    const table = records.table(offset);
    const version = records.version(offset);
    const gone = records.isTombstone(offset) || version <= (this.cleared.get(table) ?? 0);
    if (gone && records.isBorn(offset)) {
      this.skipped += 1;
      return 0;
    }
    const { bytes } = records;
    const start = records.keyStart(offset);
    const keyEnd = start + records.keyBytes(offset);
    const end = gone ? keyEnd : keyEnd + records.valueBytes(offset);
    if (gone) writer.remove(table, bytes, start, keyEnd);
    else writer.put(table, version, bytes, start, keyEnd, end);
    this.written += 1;
    return end - start + 32;
  }
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
