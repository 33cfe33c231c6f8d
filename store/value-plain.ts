// Value plain — the short cut for plain data: small objects and arrays of ASCII texts and numbers.
//
// Most values are like that, and for them one pass that checks and writes is some three times as
// fast as the walk and the codec. Owns nothing: whatever it does not know, or would have to refuse,
// it leaves to them by returning `undefined`; so it never throws, and what it writes and reads is
// byte by byte what they would.
//
// Invariants:
//   N3. (value.ts) A short cut writes the bytes that the codec would, and reads them as it would.
//   A1. Nothing is carried here that the walk would refuse or box: every doubt is left to the walk.

import type { ByteWriter } from "../base/byte-writer.js";
import { isPlainNumber, writeNumber } from "./value-number.js";

/** Room for one value; larger ones gain little. */
const capacityBytes = 4_096;
/** Values are written one behind the other into a chunk, then into the next one. */
const chunkBytes = 32_768;
/** Heads and numbers take at most nine bytes: with this much room they need no check. */
const headRoomBytes = 16;
/** Containers within containers; the walk knows the real limit. */
const depthMax = 16;
/** Above this, looking for an array's extra properties is for the walk. */
const arrayLengthMax = 256;
/**
 * Up to this length a loop reads a text faster than a decoder, and bytes get an array of their own.
 */
const shortBytesMax = 64;

/** First bytes of CBOR items: a major type, to which a small number or length is added. */
const cbor = {
  negative: 0x20,
  text: 0x60,
  array: 0x80,
  map: 0xa0,
  /** Numbers from here on stand in the bytes that follow: in one, two, four of them. */
  oneByte: 0x18,
  twoBytes: 0x19,
  fourBytes: 0x1a,
  false: 0xf4,
  true: 0xf5,
  null: 0xf6,
  undefined: 0xf7,
  float64: 0xfb,
} as const;

let chunk = new Uint8Array(chunkBytes);
let view = new DataView(chunk.buffer);
/** Where the next byte goes. Bytes before the value in hand belong to others. */
let at = 0;
/** Where the value in hand must stop. */
let end = 0;
/** A getter that is read here may encode a value itself. */
let busy = false;
const float = new DataView(new ArrayBuffer(8));

/** The bytes of a value, or `undefined` when the walk and the codec have to look at it. */
export function encodePlain(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (busy) return undefined;
  busy = true;
  const start = claim();
  let done = false;
  try {
    done = put(value, 0);
  } catch {
    // A getter threw, or a proxy: the walk finds out again, and says where.
  }
  busy = false;
  if (done) return keep(start, at);
  at = start;
  return undefined;
}

/** The same, appended to `writer` instead of kept; false, with nothing appended, for the others. */
export function appendPlain(writer: ByteWriter, value: unknown): boolean {
  if (busy) return false;
  busy = true;
  const start = claim();
  let done = false;
  try {
    done = put(value, 0);
  } catch {
    // As above.
  }
  busy = false;
  if (done) writer.slice(chunk, start, at);
  at = start;
  return done;
}

/** A copy of encoded bytes that stand in a buffer which is going to be reused. */
export function keepEncoded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = bytes;
  if (busy || length > capacityBytes) return new Uint8Array(bytes);
  const start = claim();
  chunk.set(bytes, start);
  return keep(start, start + length);
}

/** Makes room for a value in the chunk and returns where it starts. */
function claim(): number {
  if (at > chunkBytes - capacityBytes) {
    chunk = new Uint8Array(chunkBytes);
    view = new DataView(chunk.buffer);
    at = 0;
  }
  end = at + capacityBytes - headRoomBytes;
  return at;
}

/**
 * The bytes [start, stop) of the chunk as a value's. V8 keeps up to 64 bytes on its heap, where an
 * array of their own costs nothing to speak of; above, it would cost more than the encoding.
 */
function keep(start: number, stop: number): Uint8Array<ArrayBuffer> {
  if (stop - start > shortBytesMax) {
    at = stop;
    return chunk.subarray(start, stop);
  }
  at = start;
  const bytes = new Uint8Array(stop - start);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = chunk[start + index] ?? 0;
  return bytes;
}

function put(value: unknown, depth: number): boolean {
  if (at > end) return false;
  switch (typeof value) {
    case "string":
      return putText(value);
    case "number":
      return putNumber(value);
    case "boolean":
      chunk[at++] = value ? cbor.true : cbor.false;
      return true;
    case "undefined":
      chunk[at++] = cbor.undefined;
      return true;
    case "object":
      return value === null ? putNull() : putContainer(value, depth);
    default:
      return false;
  }
}

function putNull(): boolean {
  chunk[at++] = cbor.null;
  return true;
}

function putNumber(value: number): boolean {
  if (!isPlainNumber(value)) return false;
  at = writeNumber(chunk, at, value);
  return true;
}

/** A major type with its number, below 2^32, in as few bytes as possible. */
function putHead(major: number, value: number): void {
  if (value < cbor.oneByte) {
    chunk[at++] = major + value;
  } else if (value < 0x100) {
    chunk[at++] = major + cbor.oneByte;
    chunk[at++] = value;
  } else if (value < 0x1_0000) {
    chunk[at++] = major + cbor.twoBytes;
    chunk[at++] = value >>> 8;
    chunk[at++] = value;
  } else {
    chunk[at++] = major + cbor.fourBytes;
    view.setUint32(at, value);
    at += 4;
  }
}

function putText(text: string): boolean {
  const { length } = text;
  if (at + length > end) return false;
  putHead(cbor.text, length);
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return false;
    chunk[at++] = unit;
  }
  return true;
}

function putContainer(container: object, depth: number): boolean {
  if (depth === depthMax) return false;
  const prototype: unknown = Object.getPrototypeOf(container);
  if (prototype === Object.prototype) return putProperties(container, depth + 1);
  if (prototype === Array.prototype && Array.isArray(container)) {
    return putArray(container, depth + 1);
  }
  return false;
}

function putProperties(object: object, depth: number): boolean {
  if (Object.getOwnPropertySymbols(object).length > 0) return false;
  const names = Object.keys(object);
  putHead(cbor.map, names.length);
  // cast: every object can be read by property names
  const properties = object as Readonly<Record<string, unknown>>;
  for (const name of names) {
    if (name === "__proto__" || at > end || !putText(name)) return false;
    if (!put(properties[name], depth)) return false;
  }
  return true;
}

function putArray(array: readonly unknown[], depth: number): boolean {
  const { length } = array;
  if (length > arrayLengthMax || Object.keys(array).length !== length) return false;
  if (Object.getOwnPropertySymbols(array).length > 0) return false;
  putHead(cbor.array, length);
  for (let index = 0; index < length; index += 1) {
    const value = array[index];
    // A hole; its missing name may be made up for by an extra one.
    if (value === undefined && !(index in array)) return false;
    if (!put(value, depth)) return false;
  }
  return true;
}

/**
 * The value of `bytes[start, stop)` when they hold only a small number, a double, a boolean, null
 * or a short text.
 */
export function decodePlain(bytes: Uint8Array, start: number, stop: number): unknown {
  const length = stop - start;
  const first = bytes[start] ?? 0;
  if (length === 1) return decodeOneByte(first);
  if (length === 9 && first === cbor.float64) {
    for (let index = 0; index < 8; index += 1) float.setUint8(index, bytes[start + 1 + index] ?? 0);
    return float.getFloat64(0);
  }
  if (first === cbor.text + length - 1 && length <= cbor.oneByte) {
    return shortText(bytes, start + 1, stop);
  }
  const isText = first === cbor.text + cbor.oneByte && bytes[start + 1] === length - 2;
  if (isText && length <= shortBytesMax) return shortText(bytes, start + 2, stop);
  return decodeInteger(bytes, first, start, stop);
}

function decodeOneByte(byte: number): unknown {
  if (byte < cbor.oneByte) return byte;
  if (byte === cbor.true) return true;
  if (byte === cbor.false) return false;
  return byte === cbor.null ? null : undefined;
}

function decodeInteger(
  bytes: Uint8Array,
  first: number,
  start: number,
  stop: number,
): number | undefined {
  const negative = first >= cbor.negative;
  const size = first - (negative ? cbor.negative : 0);
  const length = stop - start;
  const fits =
    (size === cbor.oneByte && length === 2) ||
    (size === cbor.twoBytes && length === 3) ||
    (size === cbor.fourBytes && length === 5);
  if (!fits) return undefined;
  let value = 0;
  for (let index = start + 1; index < stop; index += 1) value = value * 256 + (bytes[index] ?? 0);
  return negative ? -1 - value : value;
}

/** The ASCII text of `[start, stop)`; `undefined` when it holds other characters. */
function shortText(bytes: Uint8Array, start: number, stop: number): string | undefined {
  let text = "";
  for (let index = start; index < stop; index += 1) {
    const unit = bytes[index] ?? 0;
    if (unit > 0x7f) return undefined;
    text += String.fromCharCode(unit);
  }
  return text;
}
