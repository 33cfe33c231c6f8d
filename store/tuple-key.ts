// Tuple key — several keys as one, ordered part by part; and keys whose type is known only at run
// time.
//
// Owns: how tagged parts are laid side by side and taken apart again. Leaves to others: the parts
// themselves (key.ts, custom-key.ts), tags and the checks of a whole key (key-form.ts).
//
//   tuple   [tag][part][part]...
//   part    delimited by its tag:  as it is
//           any other, tuples too: [tag][body with 00 written as 00 FF][00 00]
//
// 00 00 is less than every escaped body that goes on (00 FF, or a byte above 00), so a part that is
// a prefix of another comes first, and what follows a part never decides before the part itself
// does.

import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import { checkedKeyForm } from "./custom-key.js";
import { bigintForm, booleanForm, bytesForm, integerForm, stringForm } from "./key.js";
import {
  codecOf,
  delimitedBytes,
  isDelimited,
  type KeyCodec,
  type KeyForm,
  type KeyPrefix,
  keyInvalid,
  keyTag,
  notAKey,
  wholeKey,
} from "./key-form.js";

/** The key of a tuple of codecs: a readonly array with each codec's key at its place. */
export type TupleKey<P extends readonly KeyCodec<unknown>[]> = {
  readonly [I in keyof P]: P[I] extends KeyCodec<infer K> ? K : never;
};

/**
 * Keys of several parts, at least one: `tuple(string, integer)` has keys like `["a", 1]`. Ordered
 * by the first part, then the second, and so on. Parts may be empty texts or bytes, tuples nest.
 * Prefix: the leading parts, `["a"]`.
 * @throws PartitaError OPTION_INVALID when a part is no KeyCodec, or there is none
 */
export function tuple<const P extends readonly KeyCodec<unknown>[]>(
  ...parts: P
): KeyCodec<TupleKey<P>> {
  if (parts.length === 0) throw optionInvalid("tuple", "parts", [], "at least one key codec");
  const forms = parts.map((part) => checkedKeyForm(part, "tuple"));
  const name = `tuple(${parts.map((part) => part.name).join(", ")})`;
  // cast: the form reads and writes exactly the parts that TupleKey<P> lists
  const codec = codecOf(name, tupleForm(name, forms) as KeyForm<TupleKey<P>>);
  tupleParts.set(codec, parts);
  return codec;
}

const tupleParts = new WeakMap<object, readonly KeyCodec<unknown>[]>();

/** The codecs that a tuple was made of; `undefined` for what is no tuple. */
export function partsOf(codec: unknown): readonly KeyCodec<unknown>[] | undefined {
  return typeof codec === "object" && codec !== null ? tupleParts.get(codec) : undefined;
}

/** A key whose codec is chosen by its type. */
export type DynamicKey = string | number | bigint | boolean | Uint8Array | readonly DynamicKey[];

/**
 * The bytes that the declared codec of this type gives: `string`, `integer`, `bigint`, `boolean`,
 * `bytes`, or `tuple(...)` of these. So a node keyed by such a value runs where a store keyed by it
 * lives. (A UUID is a string here; stores keyed by `uuid` place theirs by its sixteen bytes.)
 * @throws PartitaError KEY_INVALID, KEY_EMPTY, KEY_TOO_LARGE
 */
export function encodeDynamicKey(key: DynamicKey): Uint8Array {
  return wholeKey(nameOf(key), encodeDynamic(key, "$", 0));
}

/** The key of bytes that `encodeDynamicKey` returned. */
export function decodeDynamicKey(tagged: Uint8Array): DynamicKey {
  const tag = tagged[0] ?? 0;
  if (tag === keyTag.string) return stringForm.decode(tagged);
  if (tag === keyTag.bytes) return bytesForm.decode(tagged);
  if (tag === keyTag.tuple) return splitParts("tuple", tagged).map(decodeDynamicKey);
  if (tag === keyTag.true || tag === keyTag.false) return booleanForm.decode(tagged);
  if (tag === keyTag.bigint || tag === keyTag.bigintNegative) return bigintForm.decode(tagged);
  return integerForm.decode(tagged);
}

function nameOf(key: DynamicKey): string {
  if (typeof key === "object") return Array.isArray(key) ? "tuple" : "bytes";
  return typeof key === "number" ? "integer" : typeof key;
}

function encodeDynamic(key: DynamicKey, path: string, depth: number): Uint8Array {
  switch (typeof key) {
    case "string":
      return stringForm.encode(key, path);
    case "number":
      return integerForm.encode(key, path);
    case "bigint":
      return bigintForm.encode(key, path);
    case "boolean":
      return booleanForm.encode(key, path);
    default:
  }
  if (key instanceof Uint8Array) return bytesForm.encode(key, path);
  if (!Array.isArray(key)) {
    const valid = "a string, safe integer, bigint, boolean, Uint8Array or an array of these";
    throw keyInvalid("dynamic", path, key, `it must be ${valid}`);
  }
  if (depth === limits.keyDepthMax) {
    throw keyInvalid("tuple", path, key, `it is nested deeper than ${limits.keyDepthMax} levels`);
  }
  return joinParts(
    // Not `map`, which passes over the holes of a sparse array.
    Array.from(key, (part, index) => encodeDynamic(part, `${path}[${index}]`, depth + 1)),
  );
}

function tupleForm(name: string, forms: readonly KeyForm<unknown>[]): KeyForm<readonly unknown[]> {
  const steps = forms.map((_, index) => `[${index}]`);
  const encodeLeading = (parts: readonly unknown[], path: string): Uint8Array => {
    const encoded: Uint8Array[] = [];
    for (let index = 0; index < parts.length; index += 1) {
      encoded.push(formAt(forms, index).encode(parts[index], path + steps[index]));
    }
    return joinParts(encoded);
  };
  return {
    encode(key, path) {
      if (!Array.isArray(key) || key.length !== forms.length) {
        throw keyInvalid(name, path, key, `it must be an array of ${forms.length} part(s)`);
      }
      return encodeLeading(key, path);
    },
    decode(tagged) {
      if (tagged[0] !== keyTag.tuple) throw notAKey(name, tagged);
      const parts = splitParts(name, tagged);
      if (parts.length !== forms.length) throw notAKey(name, tagged);
      return parts.map((part, index) => formAt(forms, index).decode(part));
    },
    prefix(prefix: KeyPrefix<readonly unknown[]>) {
      return leadingOf(name, forms.length, prefix, encodeLeading);
    },
  };
}

function leadingOf(
  name: string,
  count: number,
  prefix: unknown,
  encodeLeading: (parts: readonly unknown[], path: string) => Uint8Array,
): Uint8Array {
  if (!Array.isArray(prefix) || prefix.length > count) {
    throw keyInvalid(name, "$", prefix, `a prefix must be an array of at most ${count} part(s)`);
  }
  return encodeLeading(prefix, "$");
}

/** A tuple's tag, then its parts, each of which tells where it ends. */
function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  let length = 1;
  for (const part of parts) length += partBytes(part);
  const tagged = new Uint8Array(length);
  tagged[0] = keyTag.tuple;
  let at = 1;
  for (const part of parts) at = putPart(tagged, at, part);
  return tagged;
}

function partBytes(part: Uint8Array): number {
  if (isDelimited(part[0] ?? 0)) return part.length;
  let zeros = 0;
  for (let index = 1; index < part.length; index += 1) if (part[index] === 0) zeros += 1;
  return part.length + zeros + 2;
}

function putPart(out: Uint8Array, start: number, part: Uint8Array): number {
  const tag = part[0] ?? 0;
  let at = start;
  if (isDelimited(tag)) {
    for (let index = 0; index < part.length; index += 1) out[at++] = part[index] ?? 0;
    return at;
  }
  out[at++] = tag;
  for (let index = 1; index < part.length; index += 1) {
    const byte = part[index] ?? 0;
    out[at++] = byte;
    if (byte === 0) out[at++] = 0xff;
  }
  // The terminator 00 00: `out` is new, so it is there already.
  return at + 2;
}

/** The tagged parts of a tuple, as `joinParts` got them. */
function splitParts(name: string, tagged: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 1;
  while (at < tagged.length) {
    const tag = tagged[at] ?? 0;
    if (isDelimited(tag)) {
      const end = at + 1 + delimitedBytes(tagged, at);
      if (end > tagged.length) throw notAKey(name, tagged);
      parts.push(tagged.subarray(at, end));
      at = end;
    } else {
      const end = endOfEscaped(name, tagged, at + 1);
      parts.push(unescaped(tagged, at, end));
      at = end + 2;
    }
  }
  return parts;
}

/** Where the terminator of the escaped body that starts at `start` stands. */
function endOfEscaped(name: string, tagged: Uint8Array, start: number): number {
  for (let at = start; at + 1 < tagged.length; at += 1) {
    if (tagged[at] !== 0) continue;
    const next = tagged[at + 1];
    if (next === 0) return at;
    if (next !== 0xff) break;
    at += 1;
  }
  throw notAKey(name, tagged);
}

/** The bytes [start, end) with each 00 FF as 00. */
function unescaped(tagged: Uint8Array, start: number, end: number): Uint8Array {
  const part = new Uint8Array(end - start);
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const byte = tagged[at] ?? 0;
    part[length++] = byte;
    if (byte === 0) at += 1;
  }
  return part.subarray(0, length);
}

function formAt(forms: readonly KeyForm<unknown>[], index: number): KeyForm<unknown> {
  const form = forms[index];
  assert(form !== undefined, "a tuple has as many parts as forms");
  return form;
}
