// Task files — the names of a task's files, and making their names durable.
//
//   <task>/log/0000000000000001.seg   a segment, by the number of its first batch
//   <task>/environment/               the LMDB environment
//   <task>/index                      a help for the next launch, or nothing (index-file.ts)
//
// A file's name is durable only when its directory was synced: every creation and removal here ends
// so. A process that was killed in between has left names that are not: a launch syncs again what
// it finds.

import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../base/invariant.js";

export const environmentFolder = "environment";
export const logFolder = "log";

const digits = 16;
const segmentPattern = /^(\d{16})\.seg$/;

/** A segment by its place. */
export interface SegmentFile {
  readonly path: string;
  readonly firstBatch: number;
}

export function segmentFile(taskDirectory: string, firstBatch: number): SegmentFile {
  assert(firstBatch >= 1, () => `batch ${firstBatch} begins no segment`);
  const name = `${String(firstBatch).padStart(digits, "0")}.seg`;
  return { path: join(taskDirectory, logFolder, name), firstBatch };
}

/** Where the index of the newest segment is kept; its name need not be durable. */
export function indexFile(taskDirectory: string): string {
  return join(taskDirectory, "index");
}

/** The task's segments, oldest first, durably named. Makes the folder when it is missing. */
export function listSegments(taskDirectory: string): readonly SegmentFile[] {
  const folder = join(taskDirectory, logFolder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  syncFolder(taskDirectory);
  syncFolder(folder);
  const segments: SegmentFile[] = [];
  for (const name of readdirSync(folder)) {
    const match = segmentPattern.exec(name);
    if (match !== null) segments.push({ path: join(folder, name), firstBatch: Number(match[1]) });
  }
  return segments.sort((a, b) => a.firstBatch - b.firstBatch);
}

/** Deletes a segment for good. */
export function deleteSegment(taskDirectory: string, segment: SegmentFile): void {
  unlinkSync(segment.path);
  syncFolder(join(taskDirectory, logFolder));
}

/** Makes the names in a folder durable. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
