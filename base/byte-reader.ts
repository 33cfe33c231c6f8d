// ByteReader — reads back what a ByteWriter wrote, field by field.
//
// The bytes come from our own threads or from frames whose checksum was right, so reading past
// their end is a broken invariant, not an error that a caller could handle.
// Owns: the position. Leaves to others: the bytes, which it never copies nor changes.

import { assert, InvariantViolation } from "./invariant.js";

const two32 = 0x1_0000_0000;

export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset: number;

  /** Reads `bytes` from `offset` on. Views of `bytes` that are returned live as long as it does. */
  constructor(bytes: Uint8Array, offset = 0) {
    assert(offset >= 0 && offset <= bytes.length, () => `${offset} is not in the bytes`);
    this.#bytes = bytes;
    this.#offset = offset;
  }

  /** Where the next read starts. */
  get offset(): number {
    return this.#offset;
  }

  /** All bytes, read or not: for readers of what lies in them. */
  get whole(): Uint8Array {
    return this.#bytes;
  }

  /** Whether every byte was read. */
  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  u8(): number {
    return this.#bytes[this.#advance(1)] ?? 0;
  }

  u16(): number {
    const at = this.#advance(2);
    const bytes = this.#bytes;
    return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  }

  u32(): number {
    return this.#getU32(this.#advance(4));
  }

  /** Eight bytes as a number; asserts that it is a safe integer. */
  uint64(): number {
    const at = this.#advance(8);
    const value = this.#getU32(at) + this.#getU32(at + 4) * two32;
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new InvariantViolation(`${value} is not a safe integer`);
    }
    return value;
  }

  /** A view of the next `count` bytes. */
  bytes(count: number): Uint8Array {
    const at = this.#advance(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** Four bytes of length, then a view of that many bytes. */
  lengthPrefixed(): Uint8Array {
    return this.bytes(this.u32());
  }

  /** A view of everything that was not read. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#offset);
  }

  /** Passes over `count` bytes. */
  skip(count: number): void {
    this.#advance(count);
  }

  #getU32(at: number): number {
    const bytes = this.#bytes;
    const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    return (low | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
  }

  /** Moves on by `count` bytes and returns where they start. */
  #advance(count: number): number {
    const at = this.#offset;
    const end = at + count;
    // Written so that a NaN or a negative count fails too.
    if (!(count >= 0 && end <= this.#bytes.length)) this.#overrun(count);
    this.#offset = end;
    return at;
  }

  #overrun(count: number): never {
    throw new InvariantViolation(
      `reading ${count} bytes at ${this.#offset} leaves the ${this.#bytes.length} bytes there are`,
    );
  }
}
