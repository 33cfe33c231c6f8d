// Packet — what one thread posts to another in one flush: sections, one after the other. A section
// belongs to one lane (thread, task) or to one stream (task, task) and holds messages in order.
//
//   section   [kind u8][0 u8][from u16][to u16][0 u16][body length u32][body]
//   notices   from task, to thread:   [length u32][bytes], again and again
//
// Owns: that layout. Leaves to others: bodies of lanes (lane-encoding.ts) and of streams
// (stream-encoding.ts), who posts what when (host.ts), how packets travel (transport.ts).

import { ByteReader } from "../base/byte-reader.js";
import type { ByteWriter } from "../base/byte-writer.js";
import { assert } from "../base/invariant.js";

export const section = {
  requests: 1,
  replies: 2,
  notices: 3,
  stream: 4,
  ack: 5,
  hello: 6,
} as const;

export type SectionKind = (typeof section)[keyof typeof section];

const sectionHeaderBytes = 12;

/** Appends a section with this body. */
export function writeSection(
  packet: ByteWriter,
  kind: SectionKind,
  from: number,
  to: number,
  body: Uint8Array,
): void {
  packet.u8(kind);
  packet.u8(0);
  packet.u16(from);
  packet.u16(to);
  packet.u16(0);
  packet.u32(body.length);
  packet.bytes(body);
}

/** Calls `visit` for each section of a packet, in order. */
export function readSections(
  packet: Uint8Array,
  visit: (kind: number, from: number, to: number, body: Uint8Array) => void,
): void {
  const reader = new ByteReader(packet);
  while (!reader.done) {
    assert(packet.length - reader.offset >= sectionHeaderBytes, "a section header is cut short");
    const kind = reader.u8();
    reader.skip(1);
    const from = reader.u16();
    const to = reader.u16();
    reader.skip(2);
    const length = reader.u32();
    visit(kind, from, to, reader.bytes(length));
  }
}
