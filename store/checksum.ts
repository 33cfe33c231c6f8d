// Checksum of frames and records. Part of the on-disk format; its seed differs from the key hash's,
// so that a key's hash next to a key is never a valid checksum of it by construction.

import xxhash from "xxhash-wasm";

const { h32Raw } = await xxhash();

/** "ita!" in ASCII. */
const seed = 0x6974_6121;

/** 32-bit xxHash of some bytes, 0 to 2^32 - 1. Finds torn and rotten bytes, not forged ones. */
export function checksum(bytes: Uint8Array): number {
  return h32Raw(bytes, seed);
}
