// Chain message — how a task finds out whether a caller of an invocation waits for it.
//
// Owns: its layout, and that of the reply. Leaves to others: who asks (node/caller-chains.ts), what
// is answered (node/awaited-children.ts).

import { ByteReader } from "../../base/byte-reader.js";
import type { InvocationId } from "./invocation-id.js";
import { messageKinds } from "./message-kinds.js";
import { readId, written } from "./wire-field.js";

/** Asks the task of a caller: does a node of it wait for that child? Changes nothing. */
export interface WaitsForMessage {
  readonly kind: "waitsFor";
  readonly caller: InvocationId;
  readonly child: InvocationId;
}

/** The reply. */
export interface WaitsForReply {
  readonly waits: boolean;
  /** What the caller carries along; no bytes when it is not there. */
  readonly carried: Uint8Array;
}

export function encodeWaitsFor({ caller, child }: Omit<WaitsForMessage, "kind">): Uint8Array {
  return written((writer) => {
    writer.u8(messageKinds.waitsFor);
    writer.bytes(caller);
    writer.bytes(child);
  });
}

/** A message whose kind, the first byte, is read; `undefined` when it is none of these. */
export function readWaitsFor(kind: number, reader: ByteReader): WaitsForMessage | undefined {
  if (kind !== messageKinds.waitsFor) return undefined;
  return { kind: "waitsFor", caller: readId(reader), child: readId(reader) };
}

export function encodeWaitsForReply({ waits, carried }: WaitsForReply): Uint8Array {
  return written((writer) => {
    writer.u8(waits ? 1 : 0);
    writer.bytes(carried);
  });
}

/** What it returns are views of `bytes`. */
export function decodeWaitsForReply(bytes: Uint8Array): WaitsForReply {
  const reader = new ByteReader(bytes);
  return { waits: reader.u8() === 1, carried: reader.rest() };
}
