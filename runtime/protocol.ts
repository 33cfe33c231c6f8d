// Protocol — every byte that crosses from one thread to another on the data plane.
//
// A packet is what one thread posts to another in one flush: sections, one after the other. A
// section belongs to one lane (thread, task) or to one stream (task, task) and holds messages in
// order.
// Owns: the layouts below and their writers and readers. Leaves to others: lane.ts and mailbox.ts
// keep the order of requests and replies, outbox.ts the numbers of streams, transport.ts carries
// packets.
//
//   section   [kind u8][0 u8][from u16][to u16][0 u16][body length u32][body]
//   requests  from thread, to task:   [operation u8][table u16][key length u16][argument length
//   u32]
//                                     [stamp?][key][argument], again and again
//             a stamp is there when the operation has the bit `stamped`:
//                                     [kind u8][id, 16 or 28 bytes][reads length u32][reads]
//   replies   from task, to thread:   [status u8][length u32][bytes], again and again
//   notices   from task, to thread:   [length u32][bytes], again and again
//   stream    from task, to task:     [epoch u32][first sequence u64], then [length u32][bytes],
//                                     again and again
//   ack       from task, to task:     [epoch u32][applied sequence u64][durable sequence u64]
//                                     [resend u8]
//   hello     from task, to task:     [epoch u32], to be answered with an ack
//
// Invariants:
//   W1. Replies of a lane come in the order of its requests, one each: they carry no ids.
//   W2. A stream's sequence numbers are dense; the first is 1.
//   W3. Both ends of a stream are of the same epoch of the range map: another one is a bug.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { assert } from "../base/invariant.js";
import { appendValue } from "../store/value.js";

export const section = {
  requests: 1,
  replies: 2,
  notices: 3,
  stream: 4,
  ack: 5,
  hello: 6,
} as const;

export type SectionKind = (typeof section)[keyof typeof section];

/** What a lane can ask of a task. Numbers are the wire's. */
export const operation = {
  /** Committed or own pending value: `[version u64][value]`, or absent. */
  get: 1,
  /** Argument: the encoded value. Reply: empty. */
  put: 2,
  /** Reply: one byte, whether the key existed. */
  delete: 3,
  /**
   * Argument: `[update u16][count u32]`, then per argument `[length u32][value]`. Reply: a value.
   */
  update: 4,
  /**
   * Argument: `[expected version u64][keep u8][value]`. Reply: one byte, whether it was applied.
   */
  replace: 5,
  /** No key. Reply: empty. */
  clear: 6,
  /** No key, no effect. Reply: empty, when all earlier requests of the lane are committed. */
  barrier: 7,
  /**
   * Argument: a program's message. Reply: the program's bytes. Key: none, or the name that a node's
   * journal knows it by.
   */
  program: 8,
  /** No key. Argument and reply: page-message.ts. For readers that keep losing to the owner. */
  page: 9,
  /**
   * No key. Argument: `[operation id prefix, 24 bytes][index u32]`. Reply: a page (page-message.ts)
   * of call records of one node invocation, from that index on.
   */
  recall: 10,
  /** No key, no effect but its call record. Reply: the argument. */
  note: 11,
} as const;

/** A value that takes no bytes. */
export const noBytes: Uint8Array = new Uint8Array(0);

/** Bit of the operation byte: the request carries a stamp. */
const stamped = 0x80;

/** What a stamp says of its request. Numbers are the wire's. */
export const stampKind = {
  /** A client's id: carried out once while it is remembered (call-records.ts). */
  call: 1,
  /** A node's store operation that nobody can have sent before. */
  first: 2,
  /** A node's store operation that an earlier run may have sent. */
  again: 3,
} as const;

export type StampKind = (typeof stampKind)[keyof typeof stampKind];

/** The id under which a request's reply is recorded, in the frame that holds its effects. */
export interface Stamp {
  readonly kind: StampKind;
  /** A call id (16 bytes) or an operation id (28 bytes). */
  readonly id: Uint8Array;
  /** What the node has read since its last recorded operation (operation-journal.ts). */
  readonly reads: Uint8Array;
}

/** Bytes of the two kinds of ids. */
const stampIdBytes = { call: 16, operation: 28 } as const;

export type Operation = (typeof operation)[keyof typeof operation];

/** How a request ended. */
export const status = {
  /** The bytes are the reply. */
  ok: 0,
  /** There is no value. */
  absent: 1,
  /** The bytes are the wire form of an error; nothing was changed. */
  error: 2,
} as const;

export type Status = (typeof status)[keyof typeof status];

/** Length of an undefined argument of an update: not a length any value can have. */
export const undefinedArgument = 0xffff_ffff;

/** Which update the argument of an `operation.update` names. */
export function updateNumber({ packet, argumentStart }: Request): number {
  return (packet[argumentStart] ?? 0) + (packet[argumentStart + 1] ?? 0) * 256;
}

/** One reply. `bytes` is a view of the packet, which nobody writes to again. */
export interface Reply {
  readonly status: Status;
  readonly bytes: Uint8Array;
}

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

/** Appends one request to the body of a requests section. */
export function writeRequest(
  body: ByteWriter,
  kind: Operation,
  table: number,
  key: Uint8Array,
  argument: Uint8Array,
  stamp?: Stamp,
): void {
  writeRequestHead(body, kind, table, key.length, argument.length, stamp);
  body.bytes(key);
  body.bytes(argument);
}

/** Appends what comes before the key and the argument of a request. */
export function writeRequestHead(
  body: ByteWriter,
  kind: Operation,
  table: number,
  keyBytes: number,
  argumentBytes: number,
  stamp?: Stamp,
): void {
  body.u8(stamp === undefined ? kind : kind | stamped);
  body.u16(table);
  body.u16(keyBytes);
  body.u32(argumentBytes);
  if (stamp === undefined) return;
  body.u8(stamp.kind);
  body.bytes(stamp.id);
  body.lengthPrefixed(stamp.reads);
}

/**
 * One request of a lane where it lies: the key is `[keyStart, argumentStart)` of the packet, the
 * argument `[argumentStart, end)`. Views of them are made when they are asked for. One object does
 * for all requests, one after the other.
 */
export class Request {
  kind = 0;
  table = 0;
  stamp: Stamp | undefined;
  packet: Uint8Array = noBytes;
  keyStart = 0;
  argumentStart = 0;
  end = 0;

  /** Is the next request from now on. */
  read(reader: ByteReader): void {
    const first = reader.u8();
    this.table = reader.u16();
    const keyLength = reader.u16();
    const argumentLength = reader.u32();
    this.stamp = (first & stamped) === 0 ? undefined : readStamp(reader);
    this.kind = first & ~stamped;
    this.packet = reader.whole;
    this.keyStart = reader.offset;
    this.argumentStart = this.keyStart + keyLength;
    this.end = this.argumentStart + argumentLength;
    reader.skip(keyLength + argumentLength);
  }

  get key(): Uint8Array {
    return this.packet.subarray(this.keyStart, this.argumentStart);
  }

  get argument(): Uint8Array {
    return this.packet.subarray(this.argumentStart, this.end);
  }
}

function readStamp(reader: ByteReader): Stamp {
  const kind = reader.u8();
  assert(isStampKind(kind), () => `stamp ${kind} is not in the protocol`);
  const idBytes = kind === stampKind.call ? stampIdBytes.call : stampIdBytes.operation;
  return { kind, id: reader.bytes(idBytes), reads: reader.lengthPrefixed() };
}

function isStampKind(kind: number): kind is StampKind {
  return kind >= stampKind.call && kind <= stampKind.again;
}

/** Bytes of a request around its key and argument. */
export const requestHeaderBytes = 9;

/** Bytes of a request's stamp. */
export function stampBytes(stamp: Stamp | undefined): number {
  return stamp === undefined ? 0 : 5 + stamp.id.length + stamp.reads.length;
}

/** Appends one reply to the body of a replies section. */
export function writeReply(body: ByteWriter, kind: Status, bytes: Uint8Array): void {
  body.u8(kind);
  body.u32(bytes.length);
  body.bytes(bytes);
}

/**
 * Appends the reply that is this value.
 * @throws what `encodeValue` throws, with nothing appended
 */
export function writeValueReply(body: ByteWriter, value: unknown, where: string): void {
  const at = body.length;
  body.u8(status.ok);
  try {
    appendValue(body, value, where);
  } catch (error) {
    body.truncate(at);
    throw error;
  }
}

/** What a destination tells a source. */
export interface StreamAck {
  /** Newest number applied and visible. */
  readonly applied: number;
  /** Newest number that a power cut cannot take any more; in mode `durable` the same. */
  readonly durable: number;
  /** What follows `applied` was missed, and is to be sent again. */
  readonly resend: boolean;
}

/** The body of a stream section whose messages are length-prefixed already. */
export function streamBody(epoch: number, firstSequence: number, messages: Uint8Array): Uint8Array {
  const body = new ByteWriter(messages.length + streamHeaderBytes);
  body.u32(epoch);
  body.uint64(firstSequence);
  body.bytes(messages);
  return body.finish();
}

/** The number of the first message of a stream section. */
export function readStreamHeader(epoch: number, body: Uint8Array): number {
  const reader = new ByteReader(body);
  assertEpoch(epoch, reader.u32());
  return reader.uint64();
}

/** Bytes of a stream section before its messages. */
export const streamHeaderBytes = 12;

/** The body of an ack section. */
export function ackBody(epoch: number, { applied, durable, resend }: StreamAck): Uint8Array {
  const body = new ByteWriter();
  body.u32(epoch);
  body.uint64(applied);
  body.uint64(durable);
  body.u8(resend ? 1 : 0);
  return body.finish();
}

export function readAck(epoch: number, body: Uint8Array): StreamAck {
  const reader = new ByteReader(body);
  assertEpoch(epoch, reader.u32());
  return { applied: reader.uint64(), durable: reader.uint64(), resend: reader.u8() === 1 };
}

/** The body of a hello section. */
export function helloBody(epoch: number): Uint8Array {
  const body = new ByteWriter(4);
  body.u32(epoch);
  return body.finish();
}

/** A source asks what the destination knows: one of them was started again. */
export function readHello(epoch: number, body: Uint8Array): void {
  assertEpoch(epoch, new ByteReader(body).u32());
}

function assertEpoch(own: number, theirs: number): void {
  assert(own === theirs, () => `a message of epoch ${theirs} reached a task of epoch ${own}`);
}
