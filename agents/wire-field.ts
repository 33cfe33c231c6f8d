// Wire fields — the parts that messages, outcomes and rows of agents are made of.
//
// Owns: how a name, an id, a key, a list and a user's value stand in bytes. Leaves to others: which
// fields make what (message.ts, outcome.ts, invocation-record.ts).

import type { ByteReader } from "../base/byte-reader.js";
import type { ByteWriter } from "../base/byte-writer.js";
import { decodeValue, encodeValue } from "../store/value.js";
import { type InvocationId, invocationIdBytes, type NodeInvocationId } from "./invocation-id.js";

/**
 * The bytes of a message, input or result. No bytes stand for `undefined`, which is a message
 * too.
 */
export function encodeMessage(value: unknown, where: string): Uint8Array {
  return value === undefined ? new Uint8Array(0) : encodeValue(value, where);
}

/** The value of bytes that `encodeMessage` returned. */
export function decodeMessage(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? undefined : decodeValue(bytes);
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
  return textOf(reader.bytes(reader.u8()), "latin1");
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
  return textOf(reader.lengthPrefixed(), "utf8");
}

function textOf(bytes: Uint8Array, encoding: "latin1" | "utf8"): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
}
