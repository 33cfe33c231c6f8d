// Page message — a page of a store as its owner is asked for it and answers.
//
//   request  [limit u32][reverse u8][from?][to?]        a bound: [0 u8], or [1 u8][length u32][key]
//   reply    [length u32][key][version u64][length u32][value], again and again
//
// Owns: the layouts. Leaves to others: when the owner is asked (store-scan.ts).

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import type { KeyRange, StoredRow } from "../store/storage.js";

/** What `TaskReader.page` is asked. */
export interface PageRequest {
  readonly range: KeyRange;
  readonly limit: number;
}

export function encodePageRequest({ range, limit }: PageRequest): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(limit);
  writer.u8(range.reverse === true ? 1 : 0);
  for (const bound of [range.from, range.to]) {
    writer.u8(bound === undefined ? 0 : 1);
    if (bound !== undefined) writer.lengthPrefixed(bound);
  }
  return writer.finish();
}

export function decodePageRequest(bytes: Uint8Array): PageRequest {
  const reader = new ByteReader(bytes);
  const limit = reader.u32();
  const reverse = reader.u8() === 1;
  const from = reader.u8() === 1 ? reader.lengthPrefixed() : undefined;
  const to = reader.u8() === 1 ? reader.lengthPrefixed() : undefined;
  return {
    limit,
    range: { reverse, ...(from && { from }), ...(to && { to }) },
  };
}

export function encodePage(rows: readonly StoredRow[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { key, version, value } of rows) {
    writer.lengthPrefixed(key);
    writer.uint64(version);
    writer.lengthPrefixed(value);
  }
  return writer.finish();
}

/** The rows of a reply, copied out of its packet. */
export function decodePage(bytes: Uint8Array): readonly StoredRow[] {
  const reader = new ByteReader(bytes);
  const rows: StoredRow[] = [];
  while (!reader.done) {
    const key = reader.lengthPrefixed().slice();
    const version = reader.uint64();
    rows.push({ key, version, value: reader.lengthPrefixed().slice() });
  }
  return rows;
}
