// Value leaves — everything a value can hold that holds no other values: texts, numbers, dates,
// bytes.
//
// Owns: which of them CBOR carries as they are, which go into a box, which are refused. Leaves to
// others: containers (value-walk.ts), reading boxes (value-box.ts).

import { isDeepStrictEqual } from "node:util";
import { limits } from "../base/limits.js";
import { isWellFormed } from "../base/text.js";
import { Box, boxKind } from "./value-box.js";
import type { ValueTrace } from "./value-trace.js";

const byteOrderMark = 0xfeff;
const bigint64Bound = 2n ** 64n;

/** Whether `text` may lose its first character when it is decoded: it then goes into a box. */
export function beginsWithMark(text: string): boolean {
  return text.charCodeAt(0) === byteOrderMark;
}

export function walkText(trace: ValueTrace, text: string): string | Box {
  trace.spend(text.length);
  if (!isWellFormed(text)) {
    throw trace.unsupported(text, "it holds a lone surrogate, which UTF-8 cannot express");
  }
  return beginsWithMark(text) ? new Box(boxKind.text, `.${text}`) : text;
}

export function walkBigint(trace: ValueTrace, value: bigint): bigint | Box {
  if (value < bigint64Bound && value > -bigint64Bound) return value;
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString(16);
  if (digits.length > 2 * limits.bigintBytesMax) {
    throw trace.unsupported(value, `it takes more than ${limits.bigintBytesMax} bytes`);
  }
  trace.spend(digits.length);
  return new Box(negative ? boxKind.bigintNegative : boxKind.bigint, digits);
}

type LeafWalk = (trace: ValueTrace, object: object) => unknown;

/** The walk of every built-in class without values in it, by prototype. */
export const leafWalks: ReadonlyMap<object, LeafWalk> = new Map<object, LeafWalk>([
  [Date.prototype, walkDate],
  [RegExp.prototype, walkRegExp],
  [ArrayBuffer.prototype, walkArrayBuffer],
  [DataView.prototype, walkDataView],
  [Buffer.prototype, walkView],
  ...[
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
    Uint32Array,
    BigUint64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    BigInt64Array,
    Float32Array,
    Float64Array,
  ].map((TypedArray): [object, LeafWalk] => [TypedArray.prototype, walkView]),
]);

function walkDate(trace: ValueTrace, object: object): unknown {
  // cast: its prototype is Date's; if it is no Date, `getTime` throws
  const milliseconds = (object as Date).getTime();
  refuseProperties(trace, object, 0);
  // The decoder computes milliseconds from seconds, which rounds in years far from ours.
  const exact = Number.isNaN(milliseconds) || decodedTime(milliseconds) === milliseconds;
  return exact ? object : new Box(boxKind.date, milliseconds);
}

function decodedTime(milliseconds: number): number {
  return Math.round((milliseconds / 1000) * 1000);
}

function walkRegExp(trace: ValueTrace, object: object): Box {
  // cast: its prototype is RegExp's; if it is no RegExp, `source` throws
  const { source, flags, lastIndex } = object as RegExp;
  refuseProperties(trace, object, 1);
  if (lastIndex !== 0) {
    throw trace.unsupported(object, `its lastIndex is ${lastIndex}, which would become 0`);
  }
  return new Box(boxKind.regExp, [walkText(trace, source), flags]);
}

function walkArrayBuffer(trace: ValueTrace, object: object): Box {
  // cast: its prototype is ArrayBuffer's; if it is none, `byteLength` throws
  const buffer = object as ArrayBuffer;
  refuseProperties(trace, object, 0);
  checkMemory(trace, object, buffer, buffer.byteLength);
  return new Box(boxKind.arrayBuffer, new Uint8Array(buffer));
}

function walkDataView(trace: ValueTrace, object: object): Box {
  // cast: its prototype is DataView's; if it is none, `buffer` throws
  const { buffer, byteOffset, byteLength } = object as DataView;
  refuseProperties(trace, object, 0);
  checkMemory(trace, object, buffer, byteLength);
  return new Box(boxKind.dataView, new Uint8Array(buffer, byteOffset, byteLength));
}

function walkView(trace: ValueTrace, object: object): unknown {
  // cast: its prototype is a typed array's; if it is none, `buffer` throws
  const view = object as Uint8Array;
  checkMemory(trace, view, view.buffer, view.byteLength);
  const isBuffer = Buffer.isBuffer(view);
  const { buffer, byteOffset, length, byteLength } = view;
  // Same memory, no properties: listing the names would make a string of every index.
  const bare = isBuffer
    ? Buffer.from(buffer, byteOffset, length)
    : Reflect.construct(view.constructor, [buffer, byteOffset, length]);
  if (!isDeepStrictEqual(view, bare)) throw extraProperty(trace, view);
  return isBuffer ? new Box(boxKind.buffer, new Uint8Array(buffer, byteOffset, byteLength)) : view;
}

/** Refuses memory that others can change or resize: neither would come back. */
function checkMemory(trace: ValueTrace, object: object, memory: unknown, bytes: number): void {
  trace.spend(bytes);
  if (!(memory instanceof ArrayBuffer)) {
    throw trace.unsupported(object, "shared memory cannot be carried; copy it");
  }
  if (Reflect.get(memory, "resizable") === true) {
    throw trace.unsupported(object, "its memory would lose that it can be resized; copy it");
  }
}

/** Refuses own properties beside the `known` number that every instance has. */
export function refuseProperties(trace: ValueTrace, object: object, known: number): void {
  if (Reflect.ownKeys(object).length > known) throw extraProperty(trace, object);
}

export function extraProperty(trace: ValueTrace, object: object): Error {
  return trace.unsupported(object, "its own extra property would be lost");
}
