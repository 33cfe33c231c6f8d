// Pending writes — how many writes of one thread are on their way to a task, by the key's hash.
//
// A read that finds none of its key looks into shared memory at once; one that finds some goes
// behind them. So a count may be too high for a key, by others of its bucket, but never too low.
//
// Invariant:
//   L4. `of(keyHash)` is 0 only if no write of this thread to that key is on the way.

import { operation } from "./lane-encoding.js";

/** Of 20,000 writes in flight to uniform keys, about five share one. */
const bucketCount = 4096;

export class PendingWrites {
  readonly #buckets = new Uint32Array(bucketCount);
  /** To all keys. */
  #wide = 0;
  #total = 0;

  /** Whatever the key. */
  get total(): number {
    return this.#total;
  }

  /** Those that may be to this key. */
  of(keyHash: number): number {
    return (this.#buckets[keyHash % bucketCount] ?? 0) + this.#wide;
  }

  /** A request sets out (1) or is over (-1); it counts if its operation writes. */
  count(kind: number, keyHash: number, change: 1 | -1): void {
    switch (kind) {
      case operation.get:
      case operation.page:
      case operation.barrier:
      case operation.program:
      case operation.recall:
      case operation.note:
        return;
      case operation.clear:
        this.#wide += change;
        break;
      default: {
        const bucket = keyHash % bucketCount;
        this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + change;
      }
    }
    this.#total += change;
  }
}
