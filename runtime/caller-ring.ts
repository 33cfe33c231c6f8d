// Caller ring — the callers of one lane that wait for replies, oldest first, without an object for
// each.
//
// With 20,000 calls on the way, what a call holds until its reply comes is copied by the collector
// again and again: here it is one slot in each of a few arrays. Owns: order and growth. Leaves to
// others: what counts as on the way (lane.ts), settling (settle.ts).
//
// Invariants:
//   K1. Callers leave in the order they came: the n-th reply is the n-th caller's.
//   K2. A slot that was left holds no function any more.
//   K3. `length <= lengthMax`; a push beyond it is a broken invariant, never a drop.

import { assert } from "../base/invariant.js";
import type { Operation } from "./lane-encoding.js";
import type { Judge, Settle } from "./settle.js";

const slotsAtStart = 64;

export class CallerRing {
  readonly #lengthMax: number;
  #settles: (Settle | undefined)[] = new Array<Settle | undefined>(slotsAtStart).fill(undefined);
  #judges: (Judge<unknown> | undefined)[] = new Array<Judge<unknown> | undefined>(
    slotsAtStart,
  ).fill(undefined);
  #operations = new Uint8Array(slotsAtStart);
  #keyHashes = new Uint32Array(slotsAtStart);
  #bytes = new Uint32Array(slotsAtStart);
  #head = 0;
  #length = 0;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  get length(): number {
    return this.#length;
  }

  push(
    kind: Operation,
    keyHash: number,
    bytes: number,
    judge: Judge<unknown>,
    settle: Settle,
  ): void {
    assert(this.#length < this.#lengthMax, "a full ring was pushed");
    if (this.#length === this.#settles.length) this.#grow();
    const slot = (this.#head + this.#length) & (this.#settles.length - 1);
    this.#operations[slot] = kind;
    this.#keyHashes[slot] = keyHash;
    this.#bytes[slot] = bytes;
    this.#judges[slot] = judge;
    this.#settles[slot] = settle;
    this.#length += 1;
  }

  /** What the oldest caller asked for; 0, which is no operation, when there is none. */
  get operation(): number {
    return this.#length === 0 ? 0 : (this.#operations[this.#head] ?? 0);
  }

  get keyHash(): number {
    return this.#keyHashes[this.#head] ?? 0;
  }

  /** Bytes of his request. */
  get bytes(): number {
    return this.#bytes[this.#head] ?? 0;
  }

  get judge(): Judge<unknown> {
    const judge = this.#judges[this.#head];
    assert(judge !== undefined, "every caller has a judge");
    return judge;
  }

  /** Takes the oldest caller out. */
  shift(): Settle {
    const slot = this.#head;
    const settle = this.#settles[slot];
    assert(settle !== undefined && this.#length > 0, "an empty ring was asked for its oldest");
    this.#settles[slot] = undefined;
    this.#judges[slot] = undefined;
    this.#head = (slot + 1) & (this.#settles.length - 1);
    this.#length -= 1;
    return settle;
  }

  #grow(): void {
    const before = this.#settles.length;
    const order = Array.from({ length: before }, (_, index) => (this.#head + index) & (before - 1));
    const more = new Array<undefined>(before).fill(undefined);
    this.#settles = [...order.map((slot) => this.#settles[slot]), ...more];
    this.#judges = [...order.map((slot) => this.#judges[slot]), ...more];
    this.#operations = unrolled(this.#operations, this.#head, new Uint8Array(before * 2));
    this.#keyHashes = unrolled(this.#keyHashes, this.#head, new Uint32Array(before * 2));
    this.#bytes = unrolled(this.#bytes, this.#head, new Uint32Array(before * 2));
    this.#head = 0;
  }
}

/** The ring's elements from `head` on at the start of a longer one. */
function unrolled<A extends Uint8Array | Uint32Array>(ring: A, head: number, longer: A): A {
  longer.set(ring.subarray(head));
  longer.set(ring.subarray(0, head), ring.length - head);
  return longer;
}
