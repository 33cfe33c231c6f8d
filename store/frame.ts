// Frame — the bytes of one batch in the log: a header and its records, whole or not at all.
//
//   0 magic u32 │ 4 length u32 │ 8 batch u64 │ 16 synced through u64 │ 24 records u32 │ 28 checksum
//   u32 32 records
//
// Owns: the header, and judging whether a stretch of bytes is a frame. Leaves to others: what
// follows from a bad one (replay.ts), the records (record.ts).
//
// Invariants:
//   M1. A frame starts at a multiple of 8; its length is one too and counts the header.
//   M2. Batch numbers are dense. `syncedThrough` is the newest batch that was on the device when
//       the frame was written: a frame it covers cannot be missing or torn by a power cut.

import { checksum } from "./checksum.js";

export const frameHeaderBytes = 32;
/** "pfrm" */
const magic = 0x6d72_6670;
const two32 = 2 ** 32;

/** What a frame's header says. */
export interface FrameHeader {
  readonly byteLength: number;
  readonly batch: number;
  readonly syncedThrough: number;
  readonly records: number;
}

/** Completes the frame whose records already lie behind its header at `at`. */
export function sealFrame(bytes: Uint8Array, at: number, header: FrameHeader): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, header.byteLength);
  view.setUint32(0, magic, true);
  view.setUint32(4, header.byteLength, true);
  putUint64(view, 8, header.batch);
  putUint64(view, 16, header.syncedThrough);
  view.setUint32(24, header.records, true);
  view.setUint32(28, 0, true);
  view.setUint32(28, checksum(bytes, at, at + header.byteLength), true);
}

/**
 * The frame at `at`, `"end"` where nothing was ever written (zeros), `"bad"` otherwise. Frames do
 * not reach beyond `end`. Nobody else may look at the bytes meanwhile.
 */
export function readFrame(bytes: Uint8Array, at: number, end: number): FrameHeader | "end" | "bad" {
  if (at + frameHeaderBytes > end) return isZero(bytes, at, end) ? "end" : "bad";
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, end - at);
  const first = view.getUint32(0, true);
  if (first !== magic) return isZero(bytes, at, at + frameHeaderBytes) ? "end" : "bad";
  const byteLength = view.getUint32(4, true);
  if (byteLength < frameHeaderBytes || byteLength % 8 !== 0 || at + byteLength > end) return "bad";
  if (checksumOf(bytes, at, byteLength) !== view.getUint32(28, true)) return "bad";
  return {
    byteLength,
    batch: getUint64(view, 8),
    syncedThrough: getUint64(view, 16),
    records: view.getUint32(24, true),
  };
}

/** The checksum of a frame as it was when the field for it still held zeros. */
function checksumOf(bytes: Uint8Array, at: number, byteLength: number): number {
  // A copy of each frame of a long log would take as much memory as the log, and keep it.
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, byteLength);
  const written = view.getUint32(28, true);
  view.setUint32(28, 0, true);
  const found = checksum(bytes, at, at + byteLength);
  view.setUint32(28, written, true);
  return found;
}

/** Whether bytes that could start a frame stand here; cheap, for a search. */
export function looksLikeFrame(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === (magic & 0xff) &&
    bytes[at + 1] === ((magic >>> 8) & 0xff) &&
    bytes[at + 2] === ((magic >>> 16) & 0xff) &&
    bytes[at + 3] === magic >>> 24
  );
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

function putUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / two32), true);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * two32;
}
