// Key form — how a key becomes bytes: one tag byte for the type, then a body.
//
// Owns: the tags, which are part of the on-disk format; the checks of a whole key; how parts stand
// in a tuple. Leaves to others: bodies (key.ts, custom-key.ts), tuples (tuple-key.ts), who owns a
// key.
//
// Invariants:
//   C1. Injective: two different keys of a codec, or of different built-in types, never share
//       bytes.
//   C2. Byte order equals natural order: numbers by value, text by code point, false before true,
//       bytes and tuples part by part, a prefix before what it begins.
//   C3. Canonical: one key has one encoding (-0 is 0; a UUID's letters are lower case).
//   C4. In a tuple a part tells where it ends: from its tag and length, or by 00 00, with 00 in its
//       body written as 00 FF. So C1 and C2 hold for tuples of parts, at any depth.

import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { show } from "../base/show.js";

/**
 * Turns keys of type `K` into bytes and back. The built-in ones are `string`, `uuid`, `integer`,
 * `bigint`, `bytes`, `boolean` and `tuple(...)`. Your own must be deterministic and injective:
 * equal keys give equal bytes and different keys different ones; the order of `entries` is that of
 * its bytes. What it returns is checked (a Uint8Array, not empty, not too large) and marked as a
 * custom key.
 */
export interface KeyCodec<K> {
  /** For messages: `"user id"`. */
  readonly name: string;
  /** The bytes of a key; throw on what is no key. The array is copied. */
  encode(key: K): Uint8Array;
  /** The key of bytes that `encode` returned. */
  decode(bytes: Uint8Array): K;
  /**
   * The bytes that begin the bytes of exactly the keys with this prefix; makes
   * `entries({ prefix })` possible.
   */
  prefix?(prefix: KeyPrefix<K>): Uint8Array;
}

/** What can stand for `prefix`: the beginning of a text or of bytes, leading parts of a tuple. */
export type KeyPrefix<K> = K extends string
  ? string
  : K extends Uint8Array
    ? Uint8Array
    : K extends readonly [unknown, ...unknown[]]
      ? LeadingParts<K>
      : never;

type LeadingParts<T extends readonly unknown[]> = T extends readonly []
  ? never
  : Readonly<T> | (T extends readonly [...infer Head, unknown] ? LeadingParts<Head> : never);

/** First byte of every encoded key. Fixed for ever: on disk. Gaps are for types to come. */
export const keyTag = {
  /** Zero; `integer + n` has n bytes of a positive number, `integer - n` of a negative one. */
  integer: 0x14,
  bigintNegative: 0x20,
  bigint: 0x21,
  false: 0x28,
  true: 0x29,
  string: 0x30,
  uuid: 0x38,
  bytes: 0x40,
  tuple: 0x48,
  custom: 0x50,
} as const;

/** Bytes of the magnitude of the largest safe integer. */
export const integerBytesMax = 7;
export const uuidBytes = 16;
/** Bytes of a bigint's length, in front of its magnitude. */
export const bigintLengthBytes = 2;

/** A type of keys from the inside: tag and body, for whole keys and for parts of tuples alike. */
export interface KeyForm<K> {
  /** The tag, then the body, which may be empty. `path` names the part for errors: `$[1]`. */
  encode(key: K, path: string): Uint8Array;
  decode(tagged: Uint8Array): K;
  /** The tag, then the beginning of the bodies of all keys with this prefix. */
  prefix?(prefix: KeyPrefix<K>): Uint8Array;
}

// `Symbol.for`: with two copies of this package in a process, one's codecs are no strangers to the
// other.
const keyForm: unique symbol = Symbol.for("partita.keyForm");

interface FormedCodec<K> extends KeyCodec<K> {
  readonly [keyForm]: KeyForm<K>;
}

/** The public codec of a form: adds the checks of a whole key. */
export function codecOf<K>(name: string, form: KeyForm<K>): KeyCodec<K> {
  const { prefix } = form;
  const codec: FormedCodec<K> = {
    name,
    [keyForm]: form,
    encode: (key) => wholeKey(name, form.encode(key, "$")),
    decode: (bytes) => form.decode(bytes),
    ...(prefix === undefined ? {} : { prefix: (start) => prefix(start) }),
  };
  return Object.freeze(codec);
}

/** The form of a codec made by `codecOf`; `undefined` for a user's own. */
export function formOf<K>(codec: KeyCodec<K>): KeyForm<K> | undefined {
  // cast: only `codecOf` knows the symbol
  return keyForm in codec ? (codec as FormedCodec<K>)[keyForm] : undefined;
}

/** `tagged`, after the checks that hold for a key but not for a part of a tuple. */
export function wholeKey(name: string, tagged: Uint8Array): Uint8Array {
  if (tagged.length === 1 && !isDelimited(tagged[0] ?? 0)) {
    throw new PartitaError("KEY_EMPTY", { codec: name });
  }
  if (tagged.length > limits.keyBytesMax) throw keyTooLarge(name, tagged.length);
  return tagged;
}

/** Whether a part with this tag tells its length itself (C4). */
export function isDelimited(tag: number): boolean {
  return tag < keyTag.string || tag === keyTag.uuid;
}

/** Bytes of the body of the delimited part whose tag stands at `at`. */
export function delimitedBytes(bytes: Uint8Array, at: number): number {
  const tag = bytes[at] ?? 0;
  if (tag === keyTag.uuid) return uuidBytes;
  if (tag === keyTag.false || tag === keyTag.true) return 0;
  if (tag === keyTag.bigint || tag === keyTag.bigintNegative) {
    const length = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    return bigintLengthBytes + (tag === keyTag.bigint ? length : 0xffff - length);
  }
  return Math.abs(tag - keyTag.integer);
}

export function keyInvalid(
  codec: string,
  path: string,
  value: unknown,
  reason: string,
): PartitaError<"KEY_INVALID"> {
  return new PartitaError("KEY_INVALID", { codec, path, value: show(value), reason });
}

export function keyTooLarge(codec: string, keyBytes: number): PartitaError<"KEY_TOO_LARGE"> {
  const { keyBytesMax } = limits;
  return new PartitaError("KEY_TOO_LARGE", { codec, keyBytes, keyBytesMax });
}

/** Stored bytes are not what this codec writes: the store was declared with another one. */
export function notAKey(codec: string, tagged: Uint8Array): PartitaError<"KEY_INVALID"> {
  const shown = Buffer.from(tagged.subarray(0, 24)).toString("hex");
  return keyInvalid(codec, "$", shown, "stored bytes are no key of this codec");
}
