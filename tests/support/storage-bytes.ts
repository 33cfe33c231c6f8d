// Keys and records for tests of the storage: short to write, hostile to order and to layout.

import fc from "fast-check";
import { hashKey } from "../../store/key-hash.js";
import type { RecordWrite, TableId } from "../../store/storage.js";

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of bytes. */
export function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

/** Bytes as plain hexadecimal: what tests compare and print. */
export function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

/** What a record may say besides table, key and version. */
export interface RecordOptions {
  readonly fresh?: boolean;
}

/** A record that puts `value`, or removes the key when it is `undefined`. */
export function record(
  table: TableId,
  key: Uint8Array | string,
  version: number,
  value: Uint8Array | string | undefined,
  options: RecordOptions = {},
): RecordWrite {
  const keyBytes = typeof key === "string" ? bytes(key) : key;
  return {
    table,
    key: keyBytes,
    keyHash: hashKey(keyBytes),
    version,
    value: typeof value === "string" ? bytes(value) : value,
    fresh: options.fresh ?? false,
  };
}

/**
 * Keys that are prefixes of each other, differ late, hold zeros and 0xff, or sort as signed do
 * not.
 */
export const hostileKeys: readonly Uint8Array[] = [
  [0],
  [0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0, 1],
  [1],
  [1, 0],
  [0x7f],
  [0x7f, 0xff],
  [0x80],
  [0x80, 0],
  [0xfe, 0xff, 0xff],
  [0xff],
  [0xff, 0],
  [0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
  [1, 2, 3, 4, 5, 6, 7, 8, 9],
  [1, 2, 3, 4, 5, 6, 7, 8, 0x89],
  [1, 2, 3, 4, 5, 6, 7],
].map((numbers) => Uint8Array.from(numbers));

/** A key: often one of the hostile, sometimes any, at times close to the longest. */
export const keyBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...hostileKeys) },
  { weight: 3, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ minLength: 1, maxLength: 3 }).map((tail) => {
      const key = new Uint8Array(1_976).fill(0xab);
      key.set(tail, 1_976 - tail.length);
      return key;
    }),
  },
);
