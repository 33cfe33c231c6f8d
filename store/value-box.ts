// Value box — stands in for what CBOR has no exact form for: a kind and a payload that it has one
// for.
//
// The walk (value-walk.ts) puts boxes into a copy of the value, value.ts writes each as one CBOR
// tag around [kind, payload], and reading takes the original out again.
// Owns: the kinds, which are part of the on-disk format, and what each is read as.
//
// A user's object can never be taken for a box: only the walk makes boxes, and it refuses instances
// of classes that are not registered, this one and cbor-x's own `Tag` among them.

import { assert } from "../base/invariant.js";
import { classNamed } from "./class-registry.js";

/** What is in a box. Numbers are fixed for ever: they are on disk. */
export const boxKind = {
  /** -0, which CBOR integers do not have. No payload. */
  negativeZero: 0,
  /** A text that begins with U+FEFF, which decoders may drop. Payload: the text behind a ".". */
  text: 1,
  /** A bigint of more than 64 bits. Payload: its digits, hexadecimal; the sign is the kind. */
  bigint: 2,
  bigintNegative: 3,
  /** A Date whose seconds have no exact double. Payload: milliseconds. */
  date: 4,
  /** Payload: [source, flags]. */
  regExp: 5,
  /** An object without a prototype. Payload: the object. */
  nullPrototype: 6,
  /** An object with a property that begins with U+FEFF. Payload: [name, value, name, value, …]. */
  entries: 7,
  /** Payload: the bytes. */
  buffer: 8,
  arrayBuffer: 9,
  dataView: 10,
  /** An instance of a registered class. Payload: [name, what its `encode` gave]. */
  instance: 11,
} as const;

export type BoxKind = (typeof boxKind)[keyof typeof boxKind];

export class Box {
  readonly kind: BoxKind;
  readonly payload: unknown;

  constructor(kind: BoxKind, payload: unknown) {
    this.kind = kind;
    this.payload = payload;
  }
}

/**
 * What a decoded box stands for. Throws any error when it is no box this version writes.
 * @throws PartitaError CLASS_UNKNOWN
 */
export function unbox(kind: unknown, payload: unknown): unknown {
  switch (kind) {
    case boxKind.negativeZero:
      return -0;
    case boxKind.text:
      return text(payload).slice(1);
    case boxKind.bigint:
      return BigInt(`0x${text(payload)}`);
    case boxKind.bigintNegative:
      return -BigInt(`0x${text(payload)}`);
    case boxKind.date:
      assert(typeof payload === "number", "a date is a number");
      return new Date(payload);
    case boxKind.regExp: {
      const [source, flags] = list(payload);
      return new RegExp(text(source), text(flags));
    }
    case boxKind.nullPrototype:
      assert(typeof payload === "object" && payload !== null, "an object is an object");
      return Object.assign(Object.create(null), payload);
    case boxKind.entries:
      return fromEntries(list(payload));
    case boxKind.buffer: {
      const { buffer, byteOffset, byteLength } = bytes(payload);
      return Buffer.from(buffer, byteOffset, byteLength);
    }
    case boxKind.arrayBuffer:
      return bytes(payload).slice().buffer;
    case boxKind.dataView:
      return new DataView(bytes(payload).slice().buffer);
    case boxKind.instance: {
      const [name, encoded] = list(payload);
      return instance(text(name), encoded);
    }
    default:
      return assert(false, `unknown box ${String(kind)}`);
  }
}

function fromEntries(entries: readonly unknown[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let index = 0; index < entries.length; index += 2) {
    object[text(entries[index])] = entries[index + 1];
  }
  return object;
}

function instance(name: string, encoded: unknown): object {
  const registered = classNamed(name);
  const decoded = registered.decode(encoded);
  assert(
    Object.getPrototypeOf(decoded) === registered.prototype,
    `the decode of class "${name}" did not return an instance of it`,
  );
  return decoded;
}

function text(value: unknown): string {
  assert(typeof value === "string", "a text is a string");
  return value;
}

function list(value: unknown): readonly unknown[] {
  assert(Array.isArray(value), "a list is an array");
  return value;
}

function bytes(value: unknown): Uint8Array {
  assert(value instanceof Uint8Array, "bytes are a Uint8Array");
  return value;
}
