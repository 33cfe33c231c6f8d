// Segment — one append-only file of the log: a header, frames, and zeros filled in ahead of them.
//
// An append that grows a file also has to flush the file's metadata; where zeros were written
// before, a sync is about a third cheaper. So the file is kept filled some way ahead of its tail,
// off the path of commits.
//   header: 0 magic u32 │ 4 format u32 │ 8 task u32 │ 12 checksum u32 │ 16 first batch u64 │ 24
//   zeros to 64
// Owns: the file. Leaves to others: what is in it (frame.ts), which segments there are
// (task-files.ts).
//
// Invariants:
//   L1. Bytes are written once, never again; no file is ever used for another segment.
//   L2. An append never meets zeros that are on their way to the same place: `writableEnd` says how
//       far it may go.

import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  write,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ByteWriter } from "../base/byte-writer.js";
import { assert } from "../base/invariant.js";
import { arenaStart } from "./arena.js";
import { checksum } from "./checksum.js";
import { logFolder, type SegmentFile, segmentFile, syncFolder } from "./task-files.js";

/** "pseg" */
const magic = 0x6765_7370;
const formatVersion = 1;
/** Zeros at the creation of a segment: little, so that a launch of many tasks stays quick. */
const firstFillBytes = 256 * 1024;
const fillBytes = 2 * 1024 * 1024;

const zeros = new Uint8Array(fillBytes);

export class Segment {
  readonly file: SegmentFile;
  readonly #descriptor: number;
  readonly #bytesMax: number;
  /** Zeros (or frames) are on the file up to here. */
  #filledEnd: number;
  #filling: Promise<void> | undefined;
  #closed = false;

  private constructor(file: SegmentFile, descriptor: number, bytesMax: number, filledEnd: number) {
    this.file = file;
    this.#descriptor = descriptor;
    this.#bytesMax = bytesMax;
    this.#filledEnd = filledEnd;
  }

  /** Makes a new segment, durable with its name. */
  static create(
    taskDirectory: string,
    taskId: number,
    firstBatch: number,
    bytesMax: number,
  ): Segment {
    const file = segmentFile(taskDirectory, firstBatch);
    const descriptor = openSync(file.path, "wx", 0o600);
    const filledEnd = Math.min(firstFillBytes, bytesMax);
    const start = zeros.slice(0, filledEnd);
    start.set(headerBytes(taskId, firstBatch));
    writeWhole(descriptor, start, 0);
    fsyncSync(descriptor);
    syncFolder(join(taskDirectory, logFolder));
    return new Segment(file, descriptor, bytesMax, filledEnd);
  }

  /** Opens a recovered segment to append at `end`; what lies behind was cut. */
  static reopen(file: SegmentFile, bytesMax: number, end: number): Segment {
    return new Segment(file, openSync(file.path, "r+"), bytesMax, end);
  }

  /** How far appends may go now. */
  get writableEnd(): number {
    return this.#filling === undefined ? this.#bytesMax : this.#filledEnd;
  }

  /** Resolves when `writableEnd` has moved. */
  async filled(): Promise<void> {
    await this.#filling;
  }

  /** Writes `[start, end)` of the arena to the same place of the file. Not durable yet. */
  append(arena: Uint8Array, start: number, end: number): void {
    assert(end <= this.writableEnd, "an append met zeros on their way");
    writeWhole(this.#descriptor, arena.subarray(start, end), start);
    this.#filledEnd = Math.max(this.#filledEnd, end);
    if (this.#filledEnd - end < fillBytes / 2) this.#fillAhead();
  }

  /** Makes everything appended durable. */
  sync(): void {
    fdatasyncSync(this.#descriptor);
  }

  /** The same in the system's pool of threads. */
  syncLater(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#filling;
    closeSync(this.#descriptor);
  }

  #fillAhead(): void {
    const start = this.#filledEnd;
    const length = Math.min(fillBytes, this.#bytesMax - start);
    if (this.#filling !== undefined || this.#closed || length <= 0) return;
    this.#filling = new Promise((resolve) => {
      write(this.#descriptor, zeros, 0, length, start, (_error, written) => {
        // Zeros are a help, not data: without them appends grow the file, and a full disk shows
        // there. Of what is refused, none is written.
        this.#filledEnd = start + written;
        this.#filling = undefined;
        resolve();
      });
    });
  }
}

/** The first batch that a segment's header names; `undefined` when it is no header of this task. */
export function readHeader(bytes: Uint8Array, taskId: number): number | undefined {
  if (bytes.length < arenaStart) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, arenaStart);
  const firstBatch = Number(view.getBigUint64(16, true));
  // Damaged bytes can be any number; the comparison judges the rest.
  if (!Number.isSafeInteger(firstBatch)) return undefined;
  const expected = headerBytes(taskId, firstBatch);
  return Buffer.compare(bytes.subarray(0, arenaStart), expected) === 0 ? firstBatch : undefined;
}

function headerBytes(taskId: number, firstBatch: number): Uint8Array {
  const writer = new ByteWriter(arenaStart);
  writer.u32(magic);
  writer.u32(formatVersion);
  writer.u32(taskId);
  writer.u32(0);
  writer.uint64(firstBatch);
  writer.bytes(new Uint8Array(arenaStart - writer.length));
  writer.patchU32(12, checksum(writer.view()));
  return writer.finish();
}

function writeWhole(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, at + done);
  }
}
