// Index file — the index of a segment as far as it went at a close, so that the next launch need
// not make it again: to read it takes a fifth of the time.
//
//   <task>/index   in this machine's order of bytes, all of it u32:
//   0 magic │ 4 format │ 8 task │ 12 checksum │ 16 first batch u64 │ 24 version u64 │ 32 end
//   36 digest │ 40 slots │ 44 keys │ 48 own │ 52 storage │ zeros to 64
//   then slots × (key hash, offset), then the offsets `own`, then `storage`
//
// Owns: this file. Leaves to others: the frames, which a launch reads and checks all the same
// (replay.ts), and what lies behind `end` (indexing.ts).
//
// Invariants:
//   J1. What an index file says counts only for the very frames that it was made of: it names their
//       segment and has a digest of their checksums. Whatever else may have happened to the
//       directory, it fits or is not looked at.
//   J2. It is a help, not data: nothing waits for the device, and one that is missing, torn, stale
//       or cannot be written costs time alone.

import { closeSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { type Arena, arenaStart } from "./arena.js";
import { checksum } from "./checksum.js";
import { frameHeaderBytes } from "./frame.js";
import { RecordList } from "./record.js";
import { indexFile } from "./task-files.js";

/** "pidx" */
const magic = 0x7864_6970;
const formatVersion = 1;
const headerWords = 16;
const chunkBytes = 65_536;

const word = {
  magic: 0,
  format: 1,
  task: 2,
  checksum: 3,
  firstBatch: 4,
  version: 6,
  end: 8,
  digest: 9,
  slots: 10,
  keys: 11,
  own: 12,
  storage: 13,
} as const;

/** Which task's and which segment's. */
export interface IndexPlace {
  readonly directory: string;
  readonly taskId: number;
  /** Of the segment. */
  readonly firstBatch: number;
}

/** What an index file says of the frames before `end`, beside the index itself. */
export interface KeptIndex {
  readonly end: number;
  /** The highest version of their records. */
  readonly version: number;
  /** The newest records of keys in the runtime's own tables, in no order. */
  readonly own: Int32Array;
  /** All records of the storage's own table, oldest first. */
  readonly storage: Int32Array;
}

/** Frames of `[from, end)`: how many records they have, and a digest of their checksums. */
interface FrameSummary {
  readonly records: number;
  readonly digest: number;
}

/** Walks over whole frames; `undefined` when none ends at `end`. */
export function summaryOf(arena: Arena, from: number, end: number): FrameSummary | undefined {
  const view = new DataView(arena.records.bytes.buffer);
  let records = 0;
  let digest = 0;
  let at = from;
  while (at < end) {
    records += view.getUint32(at + 24, true);
    digest = folded(digest, view.getUint32(at + 28, true));
    at += Math.max(view.getUint32(at + 4, true), frameHeaderBytes);
  }
  return at === end ? { records, digest } : undefined;
}

/** Adds all records of the frames in `[from, end)` to a list. */
export function listFrames(arena: Arena, from: number, end: number, list: RecordList): void {
  const { records } = arena;
  const view = new DataView(records.bytes.buffer);
  for (let frame = from; frame < end; ) {
    const frameEnd = frame + view.getUint32(frame + 4, true);
    records.list(frame + frameHeaderBytes, frameEnd, list);
    frame = frameEnd;
  }
}

/**
 * Fills the index of an empty arena, which holds sound frames up to `end`, from the task's index
 * file. `undefined`, with the arena as it was and the file gone, when there is none that fits.
 * Under an odd generation only.
 */
export function readIndexFile(place: IndexPlace, arena: Arena, end: number): KeptIndex | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(indexFile(place.directory), "r");
  } catch {
    return undefined;
  }
  let kept: KeptIndex | undefined;
  try {
    kept = readFrom(descriptor, place, arena, end);
  } catch {
    // J2: whatever the device says to it, the log has all of it.
  } finally {
    closeSync(descriptor);
  }
  if (kept === undefined) deleteIndexFile(place.directory);
  return kept;
}

function readFrom(
  descriptor: number,
  place: IndexPlace,
  arena: Arena,
  end: number,
): KeptIndex | undefined {
  const header = new Uint32Array(headerWords);
  if (!isRead(descriptor, bytesOf(header), 0)) return undefined;
  const [slots, keys] = [at(header, word.slots), at(header, word.keys)];
  const keptEnd = at(header, word.end);
  const [owns, storages] = [at(header, word.own), at(header, word.storage)];
  const isOurs =
    at(header, word.magic) === magic &&
    at(header, word.format) === formatVersion &&
    at(header, word.task) === place.taskId &&
    at64(header, word.firstBatch) === place.firstBatch;
  // What is damaged may ask for any amount of memory: a record takes 32 bytes of the log at least.
  const couldBe = arena.canAdopt(slots, keys) && owns <= keys && storages * 32 <= end;
  // Where most lies behind it, all is indexed at once in less time.
  if (!isOurs || !couldBe || keptEnd > end || keptEnd * 2 < end) return undefined;
  if (summaryOf(arena, arenaStart, keptEnd)?.digest !== at(header, word.digest)) return undefined;
  const own = new Int32Array(owns);
  const storage = new Int32Array(storages);
  const isAdopted = arena.adopt(slots, keys, (index) => {
    const parts = [index, bytesOf(own), bytesOf(storage)];
    let from = header.byteLength;
    for (const part of parts) {
      if (!isRead(descriptor, part, from)) return false;
      from += part.length;
    }
    const expected = at(header, word.checksum);
    header[word.checksum] = 0;
    const isWhole = fstatSync(descriptor).size === from;
    return isWhole && digestOf([bytesOf(header), ...parts]) === expected;
  });
  if (!isAdopted) return undefined;
  return { end: keptEnd, version: at64(header, word.version), own, storage };
}

/**
 * Keeps the index of an arena, all of whose records are published, for the next launch.
 * Whatever goes wrong is passed over (J2).
 */
export function writeIndexFile(place: IndexPlace, arena: Arena): void {
  const summary = summaryOf(arena, arenaStart, arena.tail);
  assert(summary !== undefined, "an arena ends with a frame");
  const list = new RecordList(summary.records);
  listFrames(arena, arenaStart, arena.tail, list);
  const own = ownOf(arena, list);
  const storage = Int32Array.from(list.storageOffsets);
  const index = arena.slotBytes();
  const header = new Uint32Array(headerWords);
  header[word.magic] = magic;
  header[word.format] = formatVersion;
  header[word.task] = place.taskId;
  put64(header, word.firstBatch, place.firstBatch);
  put64(header, word.version, list.version);
  header[word.end] = arena.tail;
  header[word.digest] = summary.digest;
  header[word.slots] = index.length / 8;
  header[word.keys] = arena.keys;
  header[word.own] = own.length;
  header[word.storage] = storage.length;
  const parts = [bytesOf(header), index, bytesOf(own), bytesOf(storage)];
  header[word.checksum] = digestOf(parts);
  try {
    const descriptor = openSync(indexFile(place.directory), "w", 0o600);
    try {
      let from = 0;
      for (const part of parts) {
        for (let done = 0; done < part.length; ) {
          done += writeSync(descriptor, part, done, part.length - done, from + done);
        }
        from += part.length;
      }
    } finally {
      closeSync(descriptor);
    }
  } catch {
    deleteIndexFile(place.directory);
  }
}

/** Its segment is gone, or it fits none. */
export function deleteIndexFile(taskDirectory: string): void {
  try {
    unlinkSync(indexFile(taskDirectory));
  } catch {
    // There was none, or it stays and will not fit (J1).
  }
}

/** Those records of the runtime's own tables that are the newest of their keys. */
function ownOf(arena: Arena, { offsets, tables, length }: RecordList): Int32Array {
  const own: number[] = [];
  for (let index = 0; index < length; index += 1) {
    const offset = offsets[index] ?? 0;
    if ((tables[index] ?? 0) < limits.tableStoreFirst && arena.isNewest(offset)) own.push(offset);
  }
  return Int32Array.from(own);
}

/** Whether the file has as many bytes there. */
function isRead(descriptor: number, bytes: Uint8Array, from: number): boolean {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(descriptor, bytes, done, bytes.length - done, from + done);
    if (read === 0) return false;
    done += read;
  }
  return true;
}

/** Chunk by chunk: WebAssembly's memory keeps the size of the longest that was ever hashed. */
function digestOf(parts: readonly Uint8Array[]): number {
  let digest = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length; from += chunkBytes) {
      digest = folded(digest, checksum(part, from, Math.min(from + chunkBytes, part.length)));
    }
  }
  return digest;
}

/** Depends on the order, too. */
function folded(digest: number, next: number): number {
  return (Math.imul((digest << 13) | (digest >>> 19), 0x9e37_79b1) ^ next) >>> 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function at(words: Uint32Array, index: number): number {
  return words[index] ?? 0;
}

function at64(words: Uint32Array, index: number): number {
  return at(words, index) + at(words, index + 1) * 2 ** 32;
}

function put64(words: Uint32Array, index: number, value: number): void {
  words[index] = value >>> 0;
  words[index + 1] = Math.floor(value / 2 ** 32);
}
