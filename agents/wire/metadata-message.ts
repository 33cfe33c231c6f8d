// Metadata messages — what clients ask of the home task about an invocation's metadata.
//
// Owns: their layouts. Leaves to others: all other messages (message.ts), what home does
// (home/metadata.ts), what the bytes mean (declare/metadata.ts).
// Invariant M1 of message.ts.

import type { ByteReader } from "../../base/byte-reader.js";
import type { InvocationId } from "./invocation-id.js";
import { messageKinds } from "./message-kinds.js";
import { readId, readName, writeName, written } from "./wire-field.js";

/** Client to the home task. Replied to with the metadata as it is then. */
export interface MetadataMessage {
  readonly kind: "metadata";
  readonly agent: string;
  readonly invocationId: InvocationId;
  /** What to change first; no bytes for nothing. */
  readonly changes: Uint8Array;
}

export function encodeMetadataMessage(message: MetadataMessage): Uint8Array {
  return written((writer) => {
    writer.u8(messageKinds.metadata);
    writeName(writer, message.agent);
    writer.bytes(message.invocationId);
    writer.bytes(message.changes);
  });
}

/** A message whose kind, the first byte, is read. */
export function readMetadataMessage(reader: ByteReader): MetadataMessage {
  return {
    kind: "metadata",
    agent: readName(reader),
    invocationId: readId(reader),
    changes: reader.rest(),
  };
}
