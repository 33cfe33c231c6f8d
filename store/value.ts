// Value — values to bytes and back: the one encoder for everything on the wire and on disk.
//
// The bytes are CBOR. Owns: the configured cbor-x codec (only this file imports cbor-x), the bounds
// of a whole value. Leaves to others: what a value may hold (value-walk.ts), what has no CBOR form
// (value-box.ts), the short cut for plain data (value-plain.ts).
//
// Invariants:
//   N1. `decodeValue(encodeValue(v))` is deep-equal to `v`, with the same types and prototypes, or
//       `encodeValue` throws. What is not kept: identity (an object that occurs twice becomes two),
//       frozenness, properties that do not enumerate, and that a property was a getter.
//   N2. Encoded bytes never change, but may be a view of an ArrayBuffer with other values' bytes:
//       copy them before transferring them or keeping few of many. Decoded values share no memory
//       with them.
//   N3. A short cut writes the bytes that the codec would, and reads them as the codec would.
//   N4. Equal values may have different bytes (the order of properties): never compare or hash
//       them.

import { createRequire } from "node:module";
import type * as CborX from "cbor-x";
import type { ByteWriter } from "../base/byte-writer.js";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { show, showKind } from "../base/show.js";
import { Box, unbox } from "./value-box.js";
import { appendPlain, decodePlain, encodePlain, keepEncoded } from "./value-plain.js";
import { valueTooLarge } from "./value-trace.js";
import { walkValue } from "./value-walk.js";

// As in environment.ts: one file is loaded faster than modules, and what others add as extensions
// is not added here. cast: both are made of the same sources.
const { addExtension, Encoder } = createRequire(import.meta.url)("cbor-x") as typeof CborX;

/**
 * The tag around [kind, payload]: of those that cbor-x leaves free, and small enough for its table.
 */
const boxTag = 1_210;

addExtension<Box, unknown>({
  Class: Box,
  tag: boxTag,
  encode: (box, encode) => encode([box.kind, box.payload]),
  // cast: cbor-x wants a Box back, but takes what is given
  decode: (data) => readBox(data) as Box,
});

/** The encoder's own buffer, and where in it the encoded value stands until the next one. */
interface EncodedInPlace extends Uint8Array {
  readonly start?: number;
  readonly end?: number;
}

/** The part of cbor-x's Encoder that is used; its own types leave out the last parameters. */
interface Codec {
  encode(value: unknown, mode: number): EncodedInPlace;
  decode(bytes: Uint8Array, end?: number): unknown;
}

const codec: Codec = new Encoder({
  useRecords: false,
  variableMapSize: true,
  copyBuffers: true,
  tagUint8Array: true,
});

/** cbor-x: REUSE_BUFFER_MODE and RESET_BUFFER_MODE. */
const inPlace = 512 | 1_024;

/**
 * Decoding from one place spares the codec a view for each value, and the caller's bytes its mark.
 */
const scratch = new Uint8Array(64 * 1024);

/**
 * The bytes of a value: numbers, strings, booleans, null, bigints, dates, regular expressions,
 * arrays, plain objects, Maps, Sets, typed arrays, buffers, and instances of registered classes,
 * nested at will. `undefined` is carried inside of objects and arrays. `where` names the operation
 * in errors.
 * @throws PartitaError VALUE_UNDEFINED when the value itself is undefined
 * @throws PartitaError VALUE_UNSUPPORTED, VALUE_CYCLIC, VALUE_TOO_DEEP with the path
 * @throws PartitaError VALUE_TOO_LARGE above `limits.valueBytesMax`
 */
export function encodeValue(value: unknown, where = "value"): Uint8Array<ArrayBuffer> {
  if (value === undefined) throw new PartitaError("VALUE_UNDEFINED", { where });
  return encodePlain(value) ?? encodeAny(value, where);
}

/**
 * The value of bytes that `encodeValue` returned: of `[start, end)`, by default all of them.
 * @throws PartitaError VALUE_CORRUPT when they are not such bytes, or the `decode` of a class threw
 * @throws PartitaError CLASS_UNKNOWN when it holds an instance of a class that is not registered
 *   here
 */
export function decodeValue(bytes: Uint8Array, start = 0, end: number = bytes.length): unknown {
  const plain = decodePlain(bytes, start, end);
  if (plain !== undefined) return plain;
  return decodeAny(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
}

/** The bytes of a value that is kept as a frame is given it: encoded, or a number. */
export function encodedOnce(value: Uint8Array | number): Uint8Array {
  return typeof value === "number" ? encodeValue(value) : value;
}

/**
 * Appends the length of a value's bytes, in four bytes, and then them.
 * @throws what `encodeValue` throws, with nothing appended
 */
export function appendValue(writer: ByteWriter, value: unknown, where = "value"): void {
  if (!appendShort(writer, value)) writer.lengthPrefixed(encodeValue(value, where));
}

/** The same for plain data alone; false, with nothing appended, for other values. */
export function appendShort(writer: ByteWriter, value: unknown): boolean {
  const at = writer.length;
  writer.u32(0);
  if (value !== undefined && appendPlain(writer, value)) {
    writer.patchU32(at, writer.length - at - 4);
    return true;
  }
  writer.truncate(at);
  return false;
}

function encodeAny(value: unknown, where: string): Uint8Array<ArrayBuffer> {
  const target = encodeWalked(walkedFor(value, where), where);
  const { start = 0, end = 0 } = target;
  const count = end - start;
  if (count > limits.valueBytesMax) throw valueTooLarge(where, count);
  return keepEncoded(target.subarray(start, end));
}

/** Deep values are refused deep in the walk: the stack is to name who gave them. */
function walkedFor(value: unknown, where: string): unknown {
  try {
    return walkValue(value, where);
  } catch (error) {
    PartitaError.retrace(error, encodeValue);
    throw error;
  }
}

/** The codec has one buffer: a getter that encodes a value while it is read would spoil both. */
let encoding = false;

function encodeWalked(walked: unknown, where: string): EncodedInPlace {
  if (encoding) {
    throw refused(walked, where, "a getter gave it while another value was being encoded");
  }
  encoding = true;
  try {
    return codec.encode(walked, inPlace);
  } catch (cause) {
    // A getter or a proxy answered the walk and gave the encoder something else.
    if (PartitaError.is(cause)) throw cause;
    throw refused(walked, where, `encoding it threw ${show(cause)}`, { cause });
  } finally {
    encoding = false;
  }
}

function refused(
  value: unknown,
  where: string,
  reason: string,
  options?: { cause: unknown },
): PartitaError {
  const details = { where, path: "$", value: showKind(value), reason };
  return new PartitaError("VALUE_UNSUPPORTED", details, options);
}

function decodeAny(bytes: Uint8Array): unknown {
  try {
    if (bytes.length > scratch.length) {
      const { buffer, byteOffset, byteLength } = bytes;
      return codec.decode(new Uint8Array(buffer, byteOffset, byteLength));
    }
    scratch.set(bytes);
    return codec.decode(scratch, bytes.length);
  } catch (cause) {
    if (PartitaError.is(cause)) throw cause;
    const details = { valueBytes: bytes.length, reason: show(cause) };
    throw new PartitaError("VALUE_CORRUPT", details, { cause });
  }
}

function readBox(data: unknown): unknown {
  if (!Array.isArray(data) || data.length !== 2) throw new TypeError("a box is [kind, payload]");
  return unbox(data[0], data[1]);
}
