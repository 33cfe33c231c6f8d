// Streams — the invariants of reliability over all tasks at rest, read from their rows.
//
//   I3  what a destination has applied of a stream was numbered by its source
//   I4  what a source counts as acknowledged, its destination has applied
//   I5  the rows of what is not acknowledged are there, dense

import { hashKey } from "../../store/key-hash.js";
import type { MemoryStorage } from "../../store/memory-storage.js";
import { messageKey, readMarks, readStreams } from "../../runtime/stream-rows.js";
import { systemTable } from "../../runtime/system-table.js";

/** What is broken of these, in words. `storages` by task. */
export function brokenStreams(storages: readonly MemoryStorage[], epoch: number): string[] {
  const problems: string[] = [];
  const marks = storages.map((storage) => readMarks(storage));
  for (const [source, storage] of storages.entries()) {
    for (const { destination, next, acknowledged, trimmed } of readStreams(storage)) {
      const applied = marks[destination]?.get(source) ?? 0;
      const stream = `stream ${source}->${destination}`;
      if (applied >= next) problems.push(`I3: ${stream}: ${applied} applied, next is ${next}`);
      if (applied < acknowledged) {
        problems.push(`I4: ${stream}: ${acknowledged} acknowledged, ${applied} applied`);
      }
      if (applied !== next - 1) problems.push(`L1: ${stream}: ${applied} of ${next - 1} applied`);
      if (trimmed > acknowledged) problems.push(`I4: ${stream}: ${trimmed} trimmed`);
      for (let number = acknowledged + 1; number < next; number += 1) {
        const key = messageKey(epoch, destination, number);
        if (storage.get(systemTable.outbox, key, hashKey(key)) !== undefined) continue;
        problems.push(`I5: ${stream}: row ${number} is gone`);
      }
    }
    for (const [from, applied] of marks[source] ?? []) {
      const sender = storages[from];
      const known = sender === undefined ? [] : readStreams(sender);
      const stream = known.find(({ destination }) => destination === source);
      if (applied > 0 && stream === undefined) {
        problems.push(`I3: task ${source} has applied ${applied} of ${from}, which sent nothing`);
      }
    }
  }
  return problems;
}
