// Short hash — 32-bit xxHash of a stretch of bytes where it lies, in JavaScript for short ones.
//
// A key and a record have some dozens of bytes: to copy them into WebAssembly's memory, and to make
// a view of them for that, takes several times as long as to hash them here. Owns nothing.
// Leaves to others: seeds (key-hash.ts, checksum.ts).
//
// Invariant:
//   H1. It gives the number of xxhash-wasm for every input: both are part of the on-disk format.

import xxhash from "xxhash-wasm";

const { h32Raw } = await xxhash();

/** From here on the copy is worth it. */
const longBytes = 160;

const prime1 = 0x9e37_79b1 | 0;
const prime2 = 0x85eb_ca77 | 0;
const prime3 = 0xc2b2_ae3d | 0;
const prime4 = 0x27d4_eb2f | 0;
const prime5 = 0x1656_67b1 | 0;

/** 32-bit xxHash of `bytes[start, end)`, 0 to 2^32 - 1. */
export function xxHash32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const length = end - start;
  if (length >= longBytes) return h32Raw(bytes.subarray(start, end), seed);
  let at = start;
  let hash: number;
  if (length >= 16) {
    let a = (seed + prime1 + prime2) | 0;
    let b = (seed + prime2) | 0;
    let c = seed | 0;
    let d = (seed - prime1) | 0;
    for (const last = end - 16; at <= last; at += 16) {
      a = round(a, word(bytes, at));
      b = round(b, word(bytes, at + 4));
      c = round(c, word(bytes, at + 8));
      d = round(d, word(bytes, at + 12));
    }
    hash = (rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18)) | 0;
  } else {
    hash = (seed + prime5) | 0;
  }
  hash = (hash + length) | 0;
  for (; at + 4 <= end; at += 4) {
    hash = (hash + Math.imul(word(bytes, at), prime3)) | 0;
    hash = Math.imul(rotated(hash, 17), prime4);
  }
  for (; at < end; at += 1) {
    hash = (hash + Math.imul(bytes[at] ?? 0, prime5)) | 0;
    hash = Math.imul(rotated(hash, 11), prime1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(lane: number, input: number): number {
  return Math.imul(rotated((lane + Math.imul(input, prime2)) | 0, 13), prime1);
}

function rotated(word32: number, by: number): number {
  return (word32 << by) | (word32 >>> (32 - by));
}

/** The four bytes at `at`, little-endian. */
function word(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  return low | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}
