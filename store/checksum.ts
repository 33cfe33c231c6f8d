// Checksum of frames and records. Part of the on-disk format; its seed differs from the key hash's,
// so that a key's hash next to a key is never a valid checksum of it by construction.

import { xxHash32 } from "./short-hash.js";

/** "ita!" in ASCII. */
const seed = 0x6974_6121;

/**
 * 32-bit xxHash of `bytes[start, end)`, by default all of them, 0 to 2^32 - 1. Finds torn and
 * rotten bytes, not forged ones.
 */
export function checksum(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  return xxHash32(bytes, start, end, seed);
}
