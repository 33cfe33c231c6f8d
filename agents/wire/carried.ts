// Carried — what all node invocations of an invocation carry along, from emitter to emitted.
//
// Owns: its layout: bytes of the invocation's metadata, and the invocations that have led to this
// one, outermost first. Leaves to others: what metadata is (its writer and its reader), what
// callers are good for (node/key-deadlocks.ts).
//
// Invariant: nothing to carry takes no bytes; metadata and callers take at most
// `carriedBytesMax`: of very many callers the outermost are left out, and that says so.

import { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { limits } from "../../base/limits.js";
import { type InvocationId, invocationIdBytes } from "./invocation-id.js";
import { noBytes, readId, readName, writeName, written } from "./wire-field.js";

/** An invocation one of whose nodes has begun the next one. */
export interface CarriedCaller {
  readonly invocationId: InvocationId;
  /** The task of that node. */
  readonly task: number;
  /** Whose task that is; "" for the topology of the invocation that carries this. */
  readonly topology: string;
  /** The node has waited for the next one from the start. */
  readonly waits: boolean;
}

/** Each has begun the next, the last one the invocation that carries them. */
export interface CallerChain {
  readonly callers: readonly CarriedCaller[];
  /** There are more, further out. */
  readonly isCut: boolean;
}

export interface Carried extends CallerChain {
  readonly metadata: Uint8Array;
}

const flags = { waits: 1, topology: 2 } as const;
const callerBytesMin = 1 + 2 + invocationIdBytes;

export function encodeCarried({ metadata, callers, isCut }: Carried): Uint8Array {
  if (metadata.length === 0 && callers.length === 0 && !isCut) return noBytes;
  const room = Math.max(0, limits.carriedBytesMax - metadata.length);
  const kept = innermost(callers, room);
  return written((writer) => {
    writer.lengthPrefixed(metadata);
    writer.u8(isCut || kept.length < callers.length ? 1 : 0);
    for (const caller of kept) writeCaller(writer, caller);
  });
}

/** What it returns are views of `bytes`. */
export function decodeCarried(bytes: Uint8Array): Carried {
  if (bytes.length === 0) return { metadata: noBytes, callers: [], isCut: false };
  const reader = new ByteReader(bytes);
  const metadata = reader.lengthPrefixed();
  const isCut = reader.u8() === 1;
  const callers: CarriedCaller[] = [];
  while (!reader.done) callers.push(readCaller(reader));
  return { metadata, callers, isCut };
}

/** A chain that came from the topology `from`, as the topology `to` names its callers. */
export function chainSeenFrom(
  to: string,
  from: string,
  { callers, isCut }: CallerChain,
): CallerChain {
  const seen = callers.map((caller) => {
    const topology = caller.topology === "" ? from : caller.topology;
    return { ...caller, topology: topology === to ? "" : topology };
  });
  return { callers: seen, isCut };
}

function innermost(callers: readonly CarriedCaller[], room: number): readonly CarriedCaller[] {
  let left = room;
  let first = callers.length;
  for (; first > 0; first -= 1) {
    const { topology } = callers[first - 1] ?? { topology: "" };
    left -= callerBytesMin + (topology === "" ? 0 : 1 + topology.length);
    if (left < 0) break;
  }
  return callers.slice(first);
}

function writeCaller(writer: ByteWriter, caller: CarriedCaller): void {
  const { topology } = caller;
  writer.u8((caller.waits ? flags.waits : 0) | (topology === "" ? 0 : flags.topology));
  writer.u16(caller.task);
  writer.bytes(caller.invocationId);
  if (topology !== "") writeName(writer, topology);
}

function readCaller(reader: ByteReader): CarriedCaller {
  const there = reader.u8();
  const task = reader.u16();
  const invocationId = readId(reader);
  const topology = there & flags.topology ? readName(reader) : "";
  return { invocationId, task, topology, waits: (there & flags.waits) !== 0 };
}
