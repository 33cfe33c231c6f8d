// The files of a task's log as tests damage them: where frames stand, and copies of a directory as
// a
// power cut would leave it.

import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readFrame } from "../../store/frame.js";

/** Where the first frame of a segment stands. */
export const firstFrame = 64;

/** Paths of the segments of a task's directory, oldest first. */
export function segmentPaths(directory: string): readonly string[] {
  const folder = join(directory, "log");
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

/** The newest segment of a task's directory. */
export function newestSegment(directory: string): string {
  const path = segmentPaths(directory).at(-1);
  if (path === undefined) throw new Error(`${directory} has no log`);
  return path;
}

/** Where the frames of a segment start, and at the end of the list where the last one ends. */
export function frameStarts(path: string): readonly number[] {
  const bytes = new Uint8Array(readFileSync(path));
  const starts = [firstFrame];
  for (let at = firstFrame; ; ) {
    const frame = readFrame(bytes, at, bytes.length);
    if (typeof frame === "string") return starts;
    at += frame.byteLength;
    starts.push(at);
  }
}

/** Writes what `change` makes of a file's bytes. */
export function rewrite(path: string, change: (bytes: Buffer) => Uint8Array): void {
  writeFileSync(path, change(readFileSync(path)));
}

/** Turns one bit over. */
export function flipBit(path: string, byte: number, bit = 0): void {
  rewrite(path, (bytes) => {
    bytes[byte] = (bytes[byte] ?? 0) ^ (1 << bit);
    return bytes;
  });
}

/** A copy of a directory as it is now: what the next process finds after a power cut. */
export function copyOf(directory: string, target: string): string {
  cpSync(directory, target, { recursive: true });
  return target;
}
