// Recorded operations — where the store operations of a node invocation are recorded, in bytes:
// what a row keeps of them until it can tell those tasks to forget.

import type { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";

/** Numbers of a node invocation's store operations that a task has recorded. */
export interface RecordedOperations {
  readonly task: number;
  readonly indexes: readonly number[];
}

export function writeIndexes(writer: ByteWriter, indexes: readonly number[]): void {
  writer.u32(indexes.length);
  for (const index of indexes) writer.u32(index);
}

export function readIndexes(reader: ByteReader): number[] {
  const count = reader.u32();
  return Array.from({ length: count }, () => reader.u32());
}

export function writeRecorded(writer: ByteWriter, recorded: readonly RecordedOperations[]): void {
  writer.u32(recorded.length);
  for (const { task, indexes } of recorded) {
    writer.u16(task);
    writeIndexes(writer, indexes);
  }
}

export function readRecorded(reader: ByteReader): RecordedOperations[] {
  const count = reader.u32();
  return Array.from({ length: count }, () => {
    const task = reader.u16();
    return { task, indexes: readIndexes(reader) };
  });
}

/** As many of them as `indexesMax` numbers take. */
export function firstRecorded(
  recorded: readonly RecordedOperations[],
  indexesMax: number,
): readonly RecordedOperations[] {
  let left = indexesMax;
  return recorded.flatMap(({ task, indexes }) => {
    const first = indexes.slice(0, left);
    left -= first.length;
    return first.length === 0 ? [] : [{ task, indexes: first }];
  });
}
