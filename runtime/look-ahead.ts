// Look-ahead — hashes the keys of the next requests of a lane and touches what they will look for.
//
// A row that is not in the processor's caches takes as long as all else of an update, and an update
// waits for one such fetch after the other. Requests that lie one behind the other name many of
// them: touched side by side, they are fetched side by side.
// Owns: how far a section was looked through. Leaves to others: what there is to touch (overlay.ts,
// view.ts), and applying (applier.ts).
//
// Invariants:
//   L1. It changes nothing: what is found when a request is applied is found without it as well.
//   L2. `next` is called once for each request of a section, in their order, before it is read.

import { ByteReader } from "../base/byte-reader.js";
import { limits } from "../base/limits.js";
import { hashKey } from "../store/key-hash.js";
import { Request } from "./lane-encoding.js";
import type { Overlay } from "./overlay.js";

export class LookAhead {
  readonly #overlay: Overlay;
  /** Of its own: the applier has one in hand. */
  readonly #request = new Request();
  readonly #tables = new Uint16Array(limits.lookAheadRequests);
  readonly #hashes = new Uint32Array(limits.lookAheadRequests);
  #count = 0;
  #at = 0;
  /** The rest of the section is not looked through. */
  #ended = false;

  constructor(overlay: Overlay) {
    this.#overlay = overlay;
  }

  /** Another section begins. */
  begin(): void {
    this.#count = 0;
    this.#at = 0;
    this.#ended = false;
  }

  /** The hash of the key of the request that `reader` reads next; -1 when it was not computed. */
  next(reader: ByteReader): number {
    if (this.#at === this.#count && !this.#look(reader)) return -1;
    this.#at += 1;
    return this.#hashes[this.#at - 1] ?? -1;
  }

  /** Looks through the next requests without a stamp; false when there are too few. */
  #look(from: ByteReader): boolean {
    if (this.#ended) return false;
    this.#at = 0;
    this.#count = 0;
    const request = this.#request;
    if (from.whole.length - from.offset >= limits.lookAheadBytesMin) {
      const reader = new ByteReader(from.whole, from.offset);
      while (this.#count < limits.lookAheadRequests && !reader.done) {
        request.read(reader);
        if (request.stamp !== undefined) break;
        this.#tables[this.#count] = request.table;
        const { packet, keyStart, argumentStart } = request;
        this.#hashes[this.#count] = hashKey(packet, keyStart, argumentStart);
        this.#count += 1;
      }
    }
    this.#ended = this.#count === 0;
    if (!this.#ended) this.#overlay.lookAhead(this.#tables, this.#hashes, this.#count);
    return !this.#ended;
  }
}
