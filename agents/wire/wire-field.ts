// Wire fields — the parts that messages, outcomes and rows of agents are made of.
//
// Owns: how a name, an id, a key, a list and a user's value stand in bytes. Leaves to others: which
// fields make what (message.ts, outcome.ts, invocation-record.ts).

import type { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { decodeValue, encodeValue } from "../../store/value.js";
import { type InvocationId, invocationIdBytes, type NodeInvocationId } from "./invocation-id.js";

/** For a field that is empty. */
export const noBytes: Uint8Array = new Uint8Array(0);

/**
 * The bytes of a message, input or result. No bytes stand for `undefined`, which is a message
 * too.
 */
export function encodeMessage(value: unknown, where: string): Uint8Array {
  return value === undefined ? noBytes : encodeValue(value, where);
}

/** The value of bytes that `encodeMessage` returned. */
export function decodeMessage(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? undefined : decodeValue(bytes);
}

/** A buffer that has grown beyond this is not kept. */
const keptBytesMax = 64 * 1024;

let shared = new ByteWriter(1024);

/**
 * The bytes that `write` appends, as a copy to be kept (kept-bytes.ts). One buffer serves all
 * calls, which must not nest: allocating one for each message is most of what a message costs.
 */
export function written(write: (writer: ByteWriter) => void): Uint8Array {
  shared.reset();
  write(shared);
  const bytes = shared.kept();
  if (bytes.length > keptBytesMax) shared = new ByteWriter(1024);
  return bytes;
}

/** Appends a list of byte arrays. */
export function writeList(writer: ByteWriter, items: readonly Uint8Array[]): void {
  writer.u32(items.length);
  for (const item of items) writer.lengthPrefixed(item);
}

export function readList(reader: ByteReader): Uint8Array[] {
  const count = reader.u32();
  return Array.from({ length: count }, () => reader.lengthPrefixed());
}

/** Appends the name of an agent or node: at most 64 ASCII characters, as names are. */
export function writeName(writer: ByteWriter, name: string): void {
  writer.u8(name.length);
  for (let index = 0; index < name.length; index += 1) writer.u8(name.charCodeAt(index));
}

export function readName(reader: ByteReader): string {
  const length = reader.u8();
  const at = reader.offset;
  reader.skip(length);
  return length === 0 ? "" : nameIn(reader.whole, at, at + length);
}

/** Names that were read, by a hash: a topology has few, and every message has some of them. */
const namesKnown = new Map<number, string>();
/** Beyond this all are forgotten: names of the past come from records. */
const namesKnownMax = 4_096;

/** The name in `bytes[start, end)`: a view for each would cost more than finding it. */
function nameIn(bytes: Uint8Array, start: number, end: number): string {
  let hash = end - start;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  const known = namesKnown.get(hash);
  if (known !== undefined && stands(known, bytes, start, end)) return known;
  const name = String.fromCharCode(...bytes.subarray(start, end));
  if (namesKnown.size >= namesKnownMax) namesKnown.clear();
  namesKnown.set(hash, name);
  return name;
}

/** Whether it is this name that stands there. */
function stands(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index += 1) {
    if (name.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}

/** Appends a node invocation's id, or the xor of several. */
export function writeNodeId(writer: ByteWriter, id: NodeInvocationId): void {
  writer.u32(id.high);
  writer.u32(id.low);
}

export function readNodeId(reader: ByteReader): NodeInvocationId {
  return { high: reader.u32(), low: reader.u32() };
}

export function readId(reader: ByteReader): InvocationId {
  return reader.bytes(invocationIdBytes);
}

/** Appends an encoded key. It is never empty, so a length of 0 stands for none. */
export function writeKey(writer: ByteWriter, key: Uint8Array | undefined): void {
  writer.u16(key?.length ?? 0);
  if (key !== undefined) writer.bytes(key);
}

export function readKey(reader: ByteReader): Uint8Array | undefined {
  const length = reader.u16();
  return length === 0 ? undefined : reader.bytes(length);
}

/** Appends any text. */
export function writeText(writer: ByteWriter, text: string): void {
  writer.lengthPrefixed(Buffer.from(text, "utf8"));
}

export function readText(reader: ByteReader): string {
  const { buffer, byteOffset, byteLength } = reader.lengthPrefixed();
  return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
}
