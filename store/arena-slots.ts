// Arena slots — the arithmetic of an arena's index: how many slots there are, and where the search
// for a key begins. Owns nothing. Leaves to others: the slots themselves (arena.ts).

/** Slots of an index that has not grown yet: those of 3,072 keys, 32 KiB. */
export const slotsFirst = 4_096;

/** Keys that so many slots take (R2 of arena.ts). */
export function keysIn(slots: number): number {
  return Math.floor(slots * 0.75);
}

/**
 * Spreads hashes that share their high bits: a task's keys all come from one range of the space.
 */
export function mixed(keyHash: number): number {
  const product = Math.imul(keyHash ^ (keyHash >>> 15), 0x2c1b_3c6d);
  return product ^ (product >>> 12);
}
