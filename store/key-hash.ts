// Key hash — decides which task owns a key. Alone in its file for a reason:
//
// CHANGING THE FUNCTION OR ITS SEED MOVES DATA. Every directory ever written holds each key at the
// task that this hash chose; with another hash its keys would be looked for where they are not. A
// new hash is a new format version and a repartitioning, never an edit of this file.

import { xxHash32 } from "./short-hash.js";

/** "part" in ASCII; part of the on-disk format. */
const seed = 0x7061_7274;

/**
 * 32-bit xxHash of an encoded key, 0 to 2^32 - 1. Router, owner and memtable use the same number.
 * The key is `bytes[start, end)`, by default all of them.
 */
export function hashKey(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  return xxHash32(bytes, start, end, seed);
}
