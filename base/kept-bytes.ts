// Kept bytes — copies of a few bytes that stay for a while, cheap to make and to collect.
//
// Up to 64 bytes lie on V8's heap, where an array of their own costs nothing to speak of. Above, an
// ArrayBuffer of its own costs four times as much as the copy (it is allocated, registered, swept
// and freed): those stand one behind the other in a chunk.
// Owns: the chunk in use. Leaves to others: which bytes stay, and for how long.
//
// Invariants:
//   B1. What is returned is nobody else's, and never changes. It may be a view of a chunk: it must
//       not be transferred, and who keeps few of many keeps `chunkBytes` for each.
//   B2. The ArrayBuffer of bytes on the heap is never asked for: V8 would move them off it.

/** What V8 keeps on its heap. */
export const heapBytesMax = 64;
const chunkBytes = 8_192;
/** Larger ones get an ArrayBuffer of their own: they would fill a chunk by themselves. */
const sharedBytesMax = 1_024;
/** What bytes may keep beside themselves: the head of the message that they came in. */
const slackBytes = 32;

let chunk = new Uint8Array(chunkBytes);
let next = 0;

/** A copy of `source[start, end)` (B1). */
export function keptCopy(
  source: Uint8Array,
  start = 0,
  end: number = source.length,
): Uint8Array<ArrayBuffer> {
  const length = end - start;
  if (length <= heapBytesMax) {
    const copy = new Uint8Array(length);
    for (let index = 0; index < length; index += 1) copy[index] = source[start + index] ?? 0;
    return copy;
  }
  if (length > sharedBytesMax) return new Uint8Array(source.subarray(start, end));
  if (next + length > chunkBytes) {
    chunk = new Uint8Array(chunkBytes);
    next = 0;
  }
  const copy = chunk.subarray(next, next + length);
  copy.set(length === source.length ? source : source.subarray(start, end));
  next += length;
  return copy;
}

/**
 * These bytes, if they keep little else in memory; otherwise a copy. They do not change any more.
 */
export function keptAs(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length <= heapBytesMax) return keptCopy(bytes);
  const { buffer } = bytes;
  if (buffer === chunk.buffer || buffer.byteLength - length <= slackBytes) return bytes;
  return keptCopy(bytes);
}
