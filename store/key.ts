// Key — the built-in key codecs of one value: string, uuid, integer, bigint, bytes, boolean.
//
// Owns: their bodies. Leaves to others: tags, invariants C1 to C4 and the checks of a whole key
// (key-form.ts), tuples (tuple-key.ts), a user's own codecs (custom-key.ts).

import { limits } from "../base/limits.js";
import { isWellFormed } from "../base/text.js";
import {
  bigintLengthBytes,
  codecOf,
  delimitedBytes,
  integerBytesMax,
  type KeyCodec,
  type KeyForm,
  keyInvalid,
  keyTag,
  keyTooLarge,
  notAKey,
  uuidBytes,
} from "./key-form.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const two32 = 0x1_0000_0000;

// --- string: the UTF-8 bytes, whose order is that of code points

function encodeText(text: string, path: string): Uint8Array {
  if (typeof text !== "string") throw keyInvalid("string", path, text, "it must be a string");
  const { length } = text;
  if (length >= limits.keyBytesMax) {
    throw keyTooLarge("string", 1 + Buffer.byteLength(text, "utf8"));
  }
  const tagged = new Uint8Array(length + 1);
  tagged[0] = keyTag.string;
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return encodeUnicode(text, path);
    tagged[index + 1] = unit;
  }
  return tagged;
}

function encodeUnicode(text: string, path: string): Uint8Array {
  if (!isWellFormed(text)) {
    throw keyInvalid("string", path, text, "it holds a lone surrogate, which UTF-8 cannot express");
  }
  const tagged = new Uint8Array(Buffer.byteLength(text, "utf8") + 1);
  tagged[0] = keyTag.string;
  encoder.encodeInto(text, tagged.subarray(1));
  return tagged;
}

function decodeText(tagged: Uint8Array): string {
  if (tagged[0] !== keyTag.string) throw notAKey("string", tagged);
  try {
    return decoder.decode(tagged.subarray(1));
  } catch {
    throw notAKey("string", tagged);
  }
}

export const stringForm: KeyForm<string> = {
  encode: encodeText,
  decode: decodeText,
  prefix: (prefix) => encodeText(prefix, "$"),
};

/**
 * Texts without lone surrogates, not empty, at most 1,975 bytes of UTF-8. Ordered by code point.
 * Prefix: the beginning of the text.
 */
export const string: KeyCodec<string> = codecOf("string", stringForm);

// --- uuid: its sixteen bytes

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uuidRule = "it must look like 123e4567-e89b-12d3-a456-426614174000";
const hyphen = 0x2d;

/** The value of a hexadecimal digit in either case: letters have bit 6 set, and end in 1 to 6. */
function hexDigit(unit: number): number {
  return (unit & 0xf) + (unit > 0x40 ? 9 : 0);
}

const uuidForm: KeyForm<string> = {
  encode(uuid, path) {
    if (typeof uuid !== "string" || !uuidPattern.test(uuid)) {
      throw keyInvalid("uuid", path, uuid, uuidRule);
    }
    const tagged = new Uint8Array(1 + uuidBytes);
    tagged[0] = keyTag.uuid;
    let at = 0;
    for (let index = 1; index <= uuidBytes; index += 1) {
      if (uuid.charCodeAt(at) === hyphen) at += 1;
      tagged[index] = (hexDigit(uuid.charCodeAt(at)) << 4) | hexDigit(uuid.charCodeAt(at + 1));
      at += 2;
    }
    return tagged;
  },
  decode(tagged) {
    if (tagged[0] !== keyTag.uuid || tagged.length !== 1 + uuidBytes) throw notAKey("uuid", tagged);
    const hex = hexOf(tagged.subarray(1));
    const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
    return [...parts, hex.slice(20)].join("-");
  },
};

/**
 * UUIDs of any version, in sixteen bytes. Letters in either case are the same key; keys come back
 * in lower case. As text a UUID is another key: `string` and `uuid` never share bytes.
 */
export const uuid: KeyCodec<string> = codecOf("uuid", uuidForm);

// --- integer: sign and byte count in the tag, then the magnitude, complemented when negative

export const integerForm: KeyForm<number> = {
  encode(integer, path) {
    if (!Number.isSafeInteger(integer)) {
      const reason = "it must be a whole number of at most 2^53 - 1, without a fraction";
      throw keyInvalid("integer", path, integer, reason);
    }
    const magnitude = Math.abs(integer);
    const count = bytesOf(magnitude);
    const tagged = new Uint8Array(1 + count);
    tagged[0] = integer < 0 ? keyTag.integer - count : keyTag.integer + count;
    const flip = integer < 0 ? 0xff : 0;
    let rest = magnitude;
    for (let index = count; index > 0; index -= 1) {
      const low = rest % 256;
      tagged[index] = low ^ flip;
      rest = (rest - low) / 256;
    }
    return tagged;
  },
  decode(tagged) {
    const signed = (tagged[0] ?? 0) - keyTag.integer;
    const count = Math.abs(signed);
    if (count > integerBytesMax || tagged.length !== 1 + count) throw notAKey("integer", tagged);
    const flip = signed < 0 ? 0xff : 0;
    let magnitude = 0;
    for (let index = 1; index <= count; index += 1) {
      magnitude = magnitude * 256 + ((tagged[index] ?? 0) ^ flip);
    }
    return signed < 0 ? -magnitude : magnitude;
  },
};

/**
 * Safe integers, ordered by value, in one to eight bytes. -0 is 0; NaN and fractions are refused.
 */
export const integer: KeyCodec<number> = codecOf("integer", integerForm);

function bytesOf(magnitude: number): number {
  if (magnitude >= two32) return 4 + bytesOf(Math.floor(magnitude / two32));
  if (magnitude > 0xffff) return magnitude > 0xff_ffff ? 4 : 3;
  return magnitude > 0xff ? 2 : Math.min(magnitude, 1);
}

// --- bigint: the length of the magnitude, then the magnitude; both complemented when negative

export const bigintForm: KeyForm<bigint> = {
  encode(value, path) {
    if (typeof value !== "bigint") throw keyInvalid("bigint", path, value, "it must be a bigint");
    const negative = value < 0n;
    const hex = value === 0n ? "" : (negative ? -value : value).toString(16);
    const magnitude = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
    const flip = negative ? 0xff : 0;
    // The length has two bytes; a number that needs more is far too large for a key.
    if (magnitude.length > 0xffff) throw keyTooLarge("bigint", 3 + magnitude.length);
    const tagged = new Uint8Array(1 + bigintLengthBytes + magnitude.length);
    tagged[0] = negative ? keyTag.bigintNegative : keyTag.bigint;
    tagged[1] = (magnitude.length >>> 8) ^ flip;
    tagged[2] = (magnitude.length & 0xff) ^ flip;
    for (let index = 0; index < magnitude.length; index += 1) {
      tagged[3 + index] = (magnitude[index] ?? 0) ^ flip;
    }
    return tagged;
  },
  decode(tagged) {
    const negative = tagged[0] === keyTag.bigintNegative;
    if (!negative && tagged[0] !== keyTag.bigint) throw notAKey("bigint", tagged);
    const magnitude = new Uint8Array(tagged.subarray(1 + bigintLengthBytes));
    if (tagged.length !== 1 + delimitedBytes(tagged, 0)) throw notAKey("bigint", tagged);
    if (magnitude.length === 0) return 0n;
    if (negative) for (const [index, byte] of magnitude.entries()) magnitude[index] = byte ^ 0xff;
    const value = BigInt(`0x${hexOf(magnitude)}`);
    return negative ? -value : value;
  },
};

/**
 * Whole numbers of any size up to 1,973 bytes, ordered by value. `1n` and `1` are different keys.
 */
export const bigint: KeyCodec<bigint> = codecOf("bigint", bigintForm);

// --- bytes: themselves

export const bytesForm: KeyForm<Uint8Array> = {
  encode: encodeBytes,
  decode(tagged) {
    if (tagged[0] !== keyTag.bytes) throw notAKey("bytes", tagged);
    return new Uint8Array(tagged.subarray(1));
  },
  prefix: (prefix) => encodeBytes(prefix, "$"),
};

function encodeBytes(value: Uint8Array, path: string): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw keyInvalid("bytes", path, value, "it must be a Uint8Array");
  }
  const tagged = new Uint8Array(1 + value.length);
  tagged[0] = keyTag.bytes;
  tagged.set(value, 1);
  return tagged;
}

/**
 * Byte arrays, not empty, at most 1,975 bytes; copied. Ordered byte by byte. Prefix: leading bytes.
 */
export const bytes: KeyCodec<Uint8Array> = codecOf("bytes", bytesForm);

// --- boolean: the tag says it all

export const booleanForm: KeyForm<boolean> = {
  encode(value, path) {
    if (typeof value !== "boolean")
      throw keyInvalid("boolean", path, value, "it must be a boolean");
    return Uint8Array.of(value ? keyTag.true : keyTag.false);
  },
  decode(tagged) {
    if (tagged[0] === keyTag.true) return true;
    if (tagged[0] === keyTag.false) return false;
    throw notAKey("boolean", tagged);
  },
};

/** `false` before `true`. */
export const boolean: KeyCodec<boolean> = codecOf("boolean", booleanForm);

function hexOf(bytesShown: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytesShown;
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}
