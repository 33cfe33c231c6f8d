// Node random — the numbers that a node draws: the same in every run of the same node invocation.

import type { NodeInvocationId } from "../wire/invocation-id.js";

/**
 * Uniform numbers in [0, 1) that follow from the id alone, so that a run after a crash goes the
 * same way and its operations are recognised. Not for secrets: whoever knows the id knows them.
 */
export function randomOf(id: NodeInvocationId): () => number {
  // SplitMix32 over both halves: ids are hashes, so they are seeds as they are.
  let state = (id.high ^ Math.imul(id.low, 0x9e3779b9)) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
