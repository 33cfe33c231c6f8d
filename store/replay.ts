// Replay — what the log says after a stop, clean or not: which frames are whole, and what to cut.
//
// Owns: the judgement on segments and frames. A bad frame is the torn end of the log unless a later
// frame says that it had been durable: then something took it away, and nothing may go on.
// Leaves to others: reading frames (frame.ts), loading them into arenas (recovery.ts).
//
// Invariants:
//   P1. Only the end of the log is ever cut, and only frames of which no later frame says that they
//       were on the device.
//   P2. What is returned is dense: batch numbers without a gap from the checkpoint on.

import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
} from "node:fs";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { arenaStart } from "./arena.js";
import { frameHeaderBytes, looksLikeFrame, readFrame } from "./frame.js";
import { readHeader } from "./segment.js";
import { deleteSegment, listSegments, type SegmentFile } from "./task-files.js";

const zeros = new Uint8Array(65_536);

/** A segment whose frames are whole. */
export interface ReplayedSegment {
  readonly file: SegmentFile;
  /** The file's bytes from its start to `end`; perhaps where the caller wanted them. */
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly frames: number;
  /** Of all frames. */
  readonly records: number;
  /** Newest batch in it; `firstBatch - 1` when it has none. */
  readonly lastBatch: number;
}

export interface Replay {
  /**
   * Segments with frames that the environment does not have, oldest first; the newest may be empty.
   */
  readonly segments: readonly ReplayedSegment[];
  readonly cutBytes: number;
}

/**
 * Where a segment is to be read to, so that nobody has to copy it there: at least `bytes` bytes,
 * whatever is in them. `newer`: segments that follow it, as far as their names tell.
 */
export type Placing = (newer: number, bytes: number) => Uint8Array;

/**
 * Reads a task's log behind batch `covered`, cuts a torn end, deletes what is covered.
 * @throws PartitaError LOG_CORRUPT with file and offset
 */
export function replayLog(
  taskDirectory: string,
  taskId: number,
  covered: number,
  placing: Placing = (_, bytes) => new Uint8Array(bytes),
): Replay {
  const log = { taskDirectory, taskId };
  const files = listSegments(taskDirectory);
  const segments: ReplayedSegment[] = [];
  let cutBytes = 0;
  const [oldest] = files;
  let expected = oldest?.firstBatch ?? covered + 1;
  if (oldest !== undefined && expected > covered + 1) {
    const reason = `batches ${covered + 1} to ${expected - 1} are missing before it`;
    throw corrupt(oldest.path, 0, reason);
  }
  for (const [index, file] of files.entries()) {
    const bytes = readInto(file.path, (size) => placing(files.length - 1 - index, size));
    const later = files.slice(index + 1);
    const named = readHeader(bytes, taskId);
    if (named !== file.firstBatch || named !== expected) {
      cutBytes += dropTail(log, file, bytes, arenaStart, expected, later, true);
      break;
    }
    const segment = readSegment(file, bytes);
    segments.push(segment);
    expected = segment.lastBatch + 1;
    if (
      isClean(bytes, segment.end) &&
      (later[0] === undefined || later[0].firstBatch === expected)
    ) {
      continue;
    }
    cutBytes += dropTail(log, file, bytes, segment.end, expected, later, false);
    break;
  }
  const needed = segments.filter((segment, index) => {
    const isNewest = index === segments.length - 1;
    const isCovered = segment.lastBatch <= covered;
    if (isCovered && !(isNewest && segment.file.firstBatch === covered + 1)) {
      deleteSegment(taskDirectory, segment.file);
      return false;
    }
    return true;
  });
  return { segments: needed, cutBytes };
}

function readSegment(file: SegmentFile, bytes: Uint8Array): ReplayedSegment {
  let at = arenaStart;
  let batch = file.firstBatch;
  let records = 0;
  for (;;) {
    const frame = readFrame(bytes, at, bytes.length);
    if (typeof frame === "string" || frame.batch !== batch) break;
    at += frame.byteLength;
    batch += 1;
    records += frame.records;
  }
  const frames = batch - file.firstBatch;
  return { file, bytes: bytes.subarray(0, at), end: at, frames, records, lastBatch: batch - 1 };
}

/** A whole file, at the beginning of what `place` gives for its size. */
function readInto(path: string, place: (bytes: number) => Uint8Array): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    const bytes = place(size).subarray(0, size);
    let done = 0;
    while (done < size) {
      const read = readSync(descriptor, bytes, done, size - done, done);
      assert(read > 0, "a segment has become shorter while it was read");
      done += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** Whether only zeros follow: most of a segment, as a rule. */
function isClean(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at < bytes.length; at += zeros.length) {
    const chunk = bytes.subarray(at, at + zeros.length);
    if (Buffer.compare(chunk, zeros.subarray(0, chunk.length)) !== 0) return false;
  }
  return true;
}

/** Cuts `file` at `end` and deletes the later segments, unless one of them says: not so (P1). */
function dropTail(
  log: { readonly taskDirectory: string; readonly taskId: number },
  file: SegmentFile,
  bytes: Uint8Array,
  end: number,
  missing: number,
  later: readonly SegmentFile[],
  whole: boolean,
): number {
  // A header is on the device before the first frame: with a frame behind it, it was not torn.
  refuseWitness(file, bytes, end, file, whole ? 0 : end, missing, whole);
  let cut = bytes.length - end;
  for (const segment of later) {
    const following = new Uint8Array(readFileSync(segment.path));
    refuseWitness(segment, following, arenaStart, file, end, missing, false);
    // A segment is begun when all before it is on the device: its header is a witness too.
    const named = readHeader(following, log.taskId);
    if (named !== undefined && named > missing) {
      const reason = `batch ${missing} is not whole, though ${segment.path} was begun after it`;
      throw corrupt(file.path, end, reason);
    }
    cut += following.length;
  }
  // Newest first: a stop in between leaves a log that is judged the same again.
  for (const segment of later.toReversed()) deleteSegment(log.taskDirectory, segment);
  if (whole) deleteSegment(log.taskDirectory, file);
  else truncate(file.path, end);
  return cut;
}

/** Refuses when a frame at or behind `from` says that batch `missing` was on the device. */
function refuseWitness(
  witness: SegmentFile,
  bytes: Uint8Array,
  from: number,
  bad: SegmentFile,
  badOffset: number,
  missing: number,
  anyFrame: boolean,
): void {
  for (let at = from; at + frameHeaderBytes <= bytes.length; at += 8) {
    if (!looksLikeFrame(bytes, at)) continue;
    const frame = readFrame(bytes, at, bytes.length);
    if (typeof frame === "string" || frame.batch < missing) continue;
    if (!anyFrame && frame.syncedThrough < missing) continue;
    const reason =
      `batch ${missing} should be here and is not whole, though batch ${frame.batch} ` +
      `(${witness.path} at ${at}) was written after it had been durable`;
    throw corrupt(bad.path, badOffset, reason);
  }
}

function truncate(path: string, end: number): void {
  const descriptor = openSync(path, "r+");
  try {
    ftruncateSync(descriptor, end);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function corrupt(file: string, offset: number, reason: string): PartitaError {
  return new PartitaError("LOG_CORRUPT", { file, offset, reason });
}
