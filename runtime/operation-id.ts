// Operation ids — one store operation of one node invocation, whatever run of it.
//
//   [invocation, 16 bytes][node invocation, 8 bytes][index u32], big-endian
//
// Big-endian keeps the operations of a node invocation together and in order.
// Owns: the layout. Leaves to others: counting (operation-journal.ts).

import { assert } from "../base/invariant.js";

/** Bytes that name the node invocation. */
export const operationPrefixBytes = 24;
const indexBytes = 4;

/** The id of the `index`-th operation of the node invocation that `prefix` names. */
export function operationId(prefix: Uint8Array, index: number): Uint8Array {
  assert(prefix.length === operationPrefixBytes, () => `a prefix of ${prefix.length} bytes`);
  // Byte by byte: V8 moves off its heap what has a DataView, which costs more than all of this.
  const id = new Uint8Array(operationPrefixBytes + indexBytes);
  for (let at = 0; at < operationPrefixBytes; at += 1) id[at] = prefix[at] ?? 0;
  id[operationPrefixBytes] = index >>> 24;
  id[operationPrefixBytes + 1] = index >>> 16;
  id[operationPrefixBytes + 2] = index >>> 8;
  id[operationPrefixBytes + 3] = index;
  return id;
}

/** The index in an operation id. */
export function operationIndex(id: Uint8Array): number {
  return new DataView(id.buffer, id.byteOffset, id.byteLength).getUint32(operationPrefixBytes);
}

/** Behind every operation id with the prefix of `id`. */
export function successorOfPrefix(id: Uint8Array): Uint8Array {
  const end = new Uint8Array(operationPrefixBytes + indexBytes + 1).fill(0xff);
  end.set(id.subarray(0, operationPrefixBytes));
  return end;
}
