// ByteWriter — bytes appended field by field to one buffer that grows.
//
// On the path of every message: no allocation per field, numbers little-endian, lengths in u32.
// Owns: its buffer. Leaves to others: what the fields mean; `ByteReader` reads them back.
//
// Invariants:
//   Y1. `length` bytes are valid; what lies behind them in the buffer is never shown.
//   Y2. `finish` returns a copy with an ArrayBuffer of its own: it can be transferred and kept.
//       What `kept` returns is cheaper and may be a part of one: it is never transferred.
//   Y3. `view` and `buffer` show the buffer itself: they are valid until the next append,
//       `patchU32`, `truncate` or `reset`.

import { assert, InvariantViolation } from "./invariant.js";
import { keptCopy } from "./kept-bytes.js";

const capacityFirst = 256;
/** Below this a loop copies faster than `set`. */
const shortCopyBytes = 24;
const two32 = 0x1_0000_0000;

export class ByteWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `capacityBytes`: how much to make room for at once. */
  constructor(capacityBytes: number = capacityFirst) {
    this.#buffer = new Uint8Array(capacityBytes);
  }

  /** Bytes written since the last `reset`. */
  get length(): number {
    return this.#length;
  }

  /** The buffer itself, of which the first `length` bytes count (Y3): for readers of many parts. */
  get buffer(): Uint8Array<ArrayBuffer> {
    return this.#buffer;
  }

  /** One byte; `value` is 0 to 255. */
  u8(value: number): void {
    const at = this.#claim(1);
    this.#buffer[at] = value;
  }

  /** Two bytes; `value` is 0 to 65,535. */
  u16(value: number): void {
    const at = this.#claim(2);
    this.#buffer[at] = value;
    this.#buffer[at + 1] = value >>> 8;
  }

  /** Four bytes; `value` is 0 to 4,294,967,295. */
  u32(value: number): void {
    this.#putU32(this.#claim(4), value);
  }

  /** Eight bytes; `value` is a safe integer that is not negative. */
  uint64(value: number): void {
    // Not `assert` with a message: no closure is made for each number.
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new InvariantViolation(`${value} is not an unsigned safe integer`);
    }
    const at = this.#claim(8);
    const low = value >>> 0;
    this.#putU32(at, low);
    this.#putU32(at + 4, (value - low) / two32);
  }

  /** The bytes themselves, without their length. */
  bytes(bytes: Uint8Array): void {
    const count = bytes.length;
    if (count <= shortCopyBytes) {
      this.slice(bytes, 0, count);
      return;
    }
    // Claimed first: it can put another buffer in place.
    const at = this.#claim(count);
    this.#buffer.set(bytes, at);
  }

  /** The bytes `[start, end)` of `bytes`, without a view of them when they are few. */
  slice(bytes: Uint8Array, start: number, end: number): void {
    const count = end - start;
    const at = this.#claim(count);
    const buffer = this.#buffer;
    if (count > shortCopyBytes) buffer.set(bytes.subarray(start, end), at);
    else {
      for (let index = 0; index < count; index += 1) buffer[at + index] = bytes[start + index] ?? 0;
    }
  }

  /** The characters of an ASCII text; with any other character nothing, and false. */
  ascii(text: string): boolean {
    const { length } = text;
    const at = this.#claim(length);
    const buffer = this.#buffer;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) {
        this.#length = at;
        return false;
      }
      buffer[at + index] = unit;
    }
    return true;
  }

  /** The length in four bytes, then the bytes. */
  lengthPrefixed(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.bytes(bytes);
  }

  /** Replaces the four bytes at `offset`, which were written before: a length known only later. */
  patchU32(offset: number, value: number): void {
    assert(offset >= 0 && offset + 4 <= this.#length, () => `no u32 was written at ${offset}`);
    this.#putU32(offset, value);
  }

  /** The bytes `[start, end)` as they lie in the buffer (Y3). */
  view(start = 0, end: number = this.#length): Uint8Array<ArrayBuffer> {
    assert(
      start >= 0 && start <= end && end <= this.#length,
      () => `[${start}, ${end}) is not within ${this.#length} bytes`,
    );
    return this.#buffer.subarray(start, end);
  }

  /** A private copy of everything written (Y2). The writer keeps its bytes until `reset`. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  /** The same to be kept, not transferred (Y2, kept-bytes.ts). */
  kept(): Uint8Array<ArrayBuffer> {
    return keptCopy(this.#buffer, 0, this.#length);
  }

  /** Forgets the bytes and keeps the buffer. */
  reset(): void {
    this.#length = 0;
  }

  /** Forgets the bytes behind the first `length`. */
  truncate(length: number): void {
    assert(length >= 0 && length <= this.#length, () => `${length} of ${this.#length} bytes`);
    this.#length = length;
  }

  #putU32(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
  }

  /** Makes room for `count` bytes and returns where they start. */
  #claim(count: number): number {
    const at = this.#length;
    const end = at + count;
    if (end > this.#buffer.length) this.#grow(end);
    this.#length = end;
    return at;
  }

  #grow(bytesNeeded: number): void {
    const grown = new Uint8Array(Math.max(bytesNeeded, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
