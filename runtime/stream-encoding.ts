// Stream encoding — the bytes that two tasks exchange: messages there, acknowledgements back.
//
//   stream    from task, to task:     [epoch u32][first sequence u64], then [length u32][bytes],
//                                     again and again
//   ack       from task, to task:     [epoch u32][applied sequence u64][durable sequence u64]
//                                     [resend u8]
//   hello     from task, to task:     [epoch u32], to be answered with an ack
//
// Owns: these layouts. Leaves to others: numbers and sending again (outbox.ts), what has been
// applied (marks.ts), packets (packet.ts).
//
// Invariants:
//   W2. A stream's sequence numbers are dense; the first is 1.
//   W3. Both ends of a stream are of the same epoch of the range map: another one is a bug.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { assert } from "../base/invariant.js";

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
