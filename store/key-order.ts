// Key order — offsets of records sorted by the keys of these, many at a time.
//
// Comparing two keys costs fifty times as much as comparing two numbers, and numbers the engine
// sorts by itself: so each key gets a number that sorts like it, and only keys that have the same
// are looked at again.
// Owns nothing. Leaves to others: which records (arena-scan.ts, checkpoint.ts).
//
// Invariant:
//   O1. Offsets whose keys are the same stay in some order, next to each other.

import type { RecordMemory } from "./record.js";

/** Keys from which on it is worth to give them ranks. */
const ranksFrom = 16;

/** Which half of a number of 64 bits this machine keeps first. */
const lowFirst = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Which of two records' keys comes first, as `Buffer.compare` says it. */
export function compareKeys(records: RecordMemory, a: number, b: number): number {
  return Buffer.compare(records.key(a), records.key(b));
}

/** Offsets by table and key; changes the order of those given. */
export function inKeyOrder(records: RecordMemory, offsets: Int32Array): Int32Array {
  // What is walked over several times lies in order then: that saves more than it takes.
  offsets.sort();
  const tables = new Uint16Array(offsets.length);
  // Where the records of a table end, then where the next of them goes.
  const places = new Uint32Array(2 ** 16 + 1);
  for (let at = 0; at < offsets.length; at += 1) {
    const table = records.table(offsets[at] ?? 0);
    tables[at] = table;
    places[table + 1] = (places[table + 1] ?? 0) + 1;
  }
  for (let at = 1; at < places.length; at += 1) {
    places[at] = (places[at] ?? 0) + (places[at - 1] ?? 0);
  }
  const ends = places.slice(1);
  const ordered = new Int32Array(offsets.length);
  for (let at = 0; at < offsets.length; at += 1) {
    const table = tables[at] ?? 0;
    const place = places[table] ?? 0;
    ordered[place] = offsets[at] ?? 0;
    places[table] = place + 1;
  }
  for (let table = 0, start = 0; start < ordered.length; table += 1) {
    const end = ends[table] ?? ordered.length;
    if (end > start) sortByKey(records, ordered.subarray(start, end));
    start = end;
  }
  return ordered;
}

/** Sorts offsets of one table by key, in byte order, where they stand. */
export function sortByKey(records: RecordMemory, offsets: Int32Array): void {
  sort(records, offsets, -1);
}

/** `known`: bytes that these keys are known to share. */
function sort(records: RecordMemory, offsets: Int32Array, known: number): void {
  if (offsets.length < ranksFrom) {
    sortFew(records, offsets);
    return;
  }
  const shared = sharedBytes(records, offsets);
  if (shared <= known) {
    // Nothing tells these apart but where they end.
    offsets.sort((a, b) => compareKeys(records, a, b));
    return;
  }
  const ranked = new BigUint64Array(offsets.length);
  const halves = new Uint32Array(ranked.buffer);
  const [low, high] = lowFirst ? [0, 1] : [1, 0];
  for (let at = 0; at < ranked.length; at += 1) {
    const offset = offsets[at] ?? 0;
    halves[at * 2 + low] = offset;
    halves[at * 2 + high] = rank(records, offset, shared);
  }
  ranked.sort();
  for (let at = 0, run = 0; at < ranked.length; at += 1) {
    offsets[at] = halves[at * 2 + low] ?? 0;
    if (halves[at * 2 + high] === halves[at * 2 + 2 + high]) continue;
    if (at > run) sort(records, offsets.subarray(run, at + 1), shared);
    run = at + 1;
  }
}

function sortFew(records: RecordMemory, offsets: Int32Array): void {
  for (let at = 1; at < offsets.length; at += 1) {
    const offset = offsets[at] ?? 0;
    let to = at;
    for (; to > 0 && compareKeys(records, offsets[to - 1] ?? 0, offset) > 0; to -= 1) {
      offsets[to] = offsets[to - 1] ?? 0;
    }
    offsets[to] = offset;
  }
}

/** How many bytes all of these keys begin with. */
function sharedBytes(records: RecordMemory, offsets: Int32Array): number {
  const { bytes } = records;
  const first = offsets[0] ?? 0;
  const one = records.keyStart(first);
  let shared = records.keyBytes(first);
  for (const offset of offsets) {
    const start = records.keyStart(offset);
    shared = Math.min(shared, records.keyBytes(offset));
    let same = 0;
    while (same < shared && bytes[start + same] === bytes[one + same]) same += 1;
    shared = same;
  }
  return shared;
}

/** A number that sorts like the key: four bytes behind what all keys begin with. */
function rank(records: RecordMemory, offset: number, shared: number): number {
  const start = records.keyStart(offset);
  const end = start + records.keyBytes(offset);
  let number = 0;
  for (let at = start + shared; at < start + shared + 4; at += 1) {
    number = number * 256 + (at < end ? (records.bytes[at] ?? 0) : 0);
  }
  return number;
}
