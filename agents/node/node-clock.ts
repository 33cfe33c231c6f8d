// Node clock — the time that a node reads: the same in every run of the same node invocation.

import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { noteDigest } from "../../runtime/node-operations.js";
import type { OperationJournal } from "../../runtime/operation-journal.js";
import { noBytes } from "../wire/wire-field.js";

/** What `now` says at the next place of a journal, or what an earlier run was told there. */
export function recordedNow(journal: OperationJournal, now: () => number): number {
  const bytes = journal.readNow(nowDigest, () => {
    const written = new ByteWriter(8);
    written.uint64(Math.max(0, Math.floor(now())));
    return written.finish();
  });
  return new ByteReader(bytes).uint64();
}

/** The digest of reading the clock: no name that `run` takes is empty. */
const nowDigest: number = noteDigest(noBytes);
