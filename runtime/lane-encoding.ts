// Lane encoding — the bytes that a thread's lane and a task exchange: requests there, replies back.
//
//   requests  from thread, to task:   [operation u8][table u16][key length u16][argument length
//   u32]
//                                     [stamp?][key][argument], again and again
//             a stamp is there when the operation has the bit `stamped`:
//                                     [kind u8][id, 16 or 28 bytes][reads length u32][reads]
//   replies   from task, to thread:   [status u8][length u32][bytes], again and again
//
// Owns: these layouts, their writers and readers. Leaves to others: the order of requests and
// replies (lane.ts, mailbox.ts), what a request does (requests.ts), packets (packet.ts).
//
// Invariants:
//   W1. Replies of a lane come in the order of its requests, one each: they carry no ids.

import type { ByteReader } from "../base/byte-reader.js";
import type { ByteWriter } from "../base/byte-writer.js";
import { assert } from "../base/invariant.js";
import { appendValue } from "../store/value.js";

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
  /** The hash of its key, or -1 when nobody has computed it yet. */
  keyHash = -1;

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
