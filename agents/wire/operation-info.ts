// Operation info — what a nested operation was about, in bytes that are quick to write.
//
//   value    [0][value]
//   call     [1][count u8] then [text][text] for each name and what it is; [count u16] then an item
//            for each argument; [outcome u8][item]
//   item     [tag u8] and, behind some tags, more
//
// A node with store operations writes some of these for every one: texts, numbers and the like, of
// which almost all arguments and results are made, are not encoded as values.
// Owns: this layout. Leaves to others: which operations there are (node/trace-recorder.ts).
//
// Invariant: `encodeCall` never throws: what cannot be carried, or takes too much, is left out, and
// the info says so with `cut: true`.

import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import { decodeMessage, encodeMessage } from "./wire-field.js";

/** How a call ended. */
export type CallEnd = { readonly value: unknown } | { readonly error: string };

const forms = { value: 0, call: 1 } as const;
const ends = { nothing: 0, value: 1, error: 2, cut: 3, cutError: 4 } as const;
const tags = { null: 0, true: 1, false: 2, number: 3, ascii: 4, text: 5, value: 6 } as const;
/** Texts up to this are written character by character. */
const shortMax = 64;

let writer = new ByteWriter(1_024);

/** The bytes of an info that is a value. @throws PartitaError as values that cannot be carried */
export function encodeInfo(info: unknown, where: string): Uint8Array {
  const value = encodeMessage(info, where);
  const bytes = new Uint8Array(1 + value.length);
  bytes[0] = forms.value;
  bytes.set(value, 1);
  return bytes;
}

/** The bytes of `{ ...about, arguments, result }`, with `error` in place of a result. */
export function encodeCall(
  about: Readonly<Record<string, string>>,
  given: readonly unknown[],
  end: CallEnd,
): Uint8Array {
  writer.reset();
  writer.u8(forms.call);
  writeAbout(about);
  const start = writer.length;
  if (!writeCall(given, end)) {
    writer.truncate(start);
    writer.u16(0);
    writer.u8("error" in end ? ends.cutError : ends.cut);
    if ("error" in end) writeText(end.error);
  }
  const bytes = writer.finish();
  if (bytes.length > limits.operationTraceBytesMax) writer = new ByteWriter(1_024);
  return bytes;
}

export function decodeInfo(bytes: Uint8Array): unknown {
  if (bytes[0] === forms.value) return decodeMessage(bytes.subarray(1));
  const reader = new ByteReader(bytes);
  assert(reader.u8() === forms.call, "the info of an operation is of a form that is not known");
  const about = Array.from({ length: reader.u8() }, () => [readItem(reader), readItem(reader)]);
  const given = Array.from({ length: reader.u16() }, () => readItem(reader));
  const end = reader.u8();
  const isCut = end === ends.cut || end === ends.cutError;
  const shown: Record<string, unknown> = Object.fromEntries(about);
  if (isCut) shown["cut"] = true;
  else shown["arguments"] = given;
  if (end === ends.value) shown["result"] = readItem(reader);
  if (end === ends.error || end === ends.cutError) shown["error"] = readItem(reader);
  return shown;
}

function writeAbout(about: Readonly<Record<string, string>>): void {
  const names = Object.keys(about);
  writer.u8(names.length);
  for (const name of names) {
    writeText(name);
    writeText(about[name] ?? "");
  }
}

/** False when something cannot be carried, or all of it takes too much. */
function writeCall(given: readonly unknown[], end: CallEnd): boolean {
  writer.u16(given.length);
  for (const argument of given) if (!writeItem(argument)) return false;
  if ("error" in end) {
    writer.u8(ends.error);
    writeText(end.error);
    return writer.length <= limits.operationTraceBytesMax;
  }
  if (end.value === undefined) {
    writer.u8(ends.nothing);
    return true;
  }
  writer.u8(ends.value);
  return writeItem(end.value);
}

function writeItem(value: unknown): boolean {
  switch (typeof value) {
    case "undefined":
      writer.u8(tags.null);
      return true;
    case "boolean":
      writer.u8(value ? tags.true : tags.false);
      return true;
    case "number":
      writer.u8(tags.number);
      writeNumber(value);
      return true;
    case "string":
      if (value.length > limits.operationTraceBytesMax) return false;
      writeText(value);
      return writer.length <= limits.operationTraceBytesMax;
    default: {
      if (value === null) {
        writer.u8(tags.null);
        return true;
      }
      const bytes = encodedIfPossible(value);
      if (bytes === undefined) return false;
      if (writer.length + bytes.length > limits.operationTraceBytesMax) return false;
      writer.u8(tags.value);
      writer.lengthPrefixed(bytes);
      return true;
    }
  }
}

const floats = new Float64Array(1);
const floatBytes = new Uint8Array(floats.buffer);

function writeNumber(value: number): void {
  floats[0] = value;
  writer.bytes(floatBytes);
}

function writeText(text: string): void {
  const start = writer.length;
  if (text.length <= shortMax) {
    writer.u8(tags.ascii);
    writer.u8(text.length);
    let isAscii = true;
    for (let index = 0; index < text.length && isAscii; index += 1) {
      const code = text.charCodeAt(index);
      isAscii = code < 128;
      writer.u8(code & 127);
    }
    if (isAscii) return;
    writer.truncate(start);
  }
  writer.u8(tags.text);
  writer.lengthPrefixed(Buffer.from(text, "utf8"));
}

function readItem(reader: ByteReader): unknown {
  const tag = reader.u8();
  switch (tag) {
    case tags.null:
      return null;
    case tags.true:
      return true;
    case tags.false:
      return false;
    case tags.number:
      floatBytes.set(reader.bytes(8));
      return floats[0];
    case tags.ascii:
      return Buffer.from(reader.bytes(reader.u8())).toString("latin1");
    case tags.text:
      return Buffer.from(reader.lengthPrefixed()).toString("utf8");
    default:
      assert(tag === tags.value, () => `an info has an item of tag ${tag}`);
      return decodeMessage(reader.lengthPrefixed());
  }
}

/** `undefined` when it is no value. */
function encodedIfPossible(value: unknown): Uint8Array | undefined {
  try {
    return encodeMessage(value, "trace");
  } catch {
    return undefined;
  }
}
