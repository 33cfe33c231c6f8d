// Carried — what all node invocations of an invocation carry along, from emitter to emitted.
//
// Owns: its layout: bytes of the invocation's metadata, and the invocations whose nodes wait for
// this one, outermost first. Leaves to others: what metadata is (its writer and its reader), what
// callers are good for (node/key-deadlocks.ts).
//
// Invariant: nothing to carry takes no bytes; metadata and callers take at most
// `carriedBytesMax`: of very many callers the outermost are left out.

import { ByteReader } from "../../base/byte-reader.js";
import { limits } from "../../base/limits.js";
import { type InvocationId, invocationIdBytes } from "./invocation-id.js";
import { noBytes, readId, written } from "./wire-field.js";

export interface Carried {
  readonly metadata: Uint8Array;
  /** Each waits for the next, the last one for the invocation that carries them. */
  readonly callers: readonly InvocationId[];
}

export function encodeCarried({ metadata, callers }: Carried): Uint8Array {
  if (metadata.length === 0 && callers.length === 0) return noBytes;
  const room = Math.max(0, limits.carriedBytesMax - metadata.length);
  const keptMax = Math.floor(room / invocationIdBytes);
  const kept = callers.slice(Math.max(0, callers.length - keptMax));
  return written((writer) => {
    writer.lengthPrefixed(metadata);
    for (const caller of kept) writer.bytes(caller);
  });
}

/** What it returns are views of `bytes`. */
export function decodeCarried(bytes: Uint8Array): Carried {
  if (bytes.length === 0) return { metadata: noBytes, callers: [] };
  const reader = new ByteReader(bytes);
  const metadata = reader.lengthPrefixed();
  const callers: InvocationId[] = [];
  while (!reader.done) callers.push(readId(reader));
  return { metadata, callers };
}
