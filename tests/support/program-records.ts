// Records of node operations in the program harness: rows as call-records.ts has them.
//
// Only what a program records is there (`TaskPort.applied`, `Turn.recordOperation`), and notes;
// stores of the harness record nothing.

import { ByteWriter } from "../../base/byte-writer.js";
import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { formatCallId } from "../../runtime/call-id.js";
import { noteDigest } from "../../runtime/node-operations.js";
import { decodeRecord } from "../../runtime/call-records.js";
import { successorOfPrefix } from "../../runtime/operation-id.js";
import { operationId } from "../../runtime/operation-id.js";
import type { RecalledRow } from "../../runtime/operation-journal.js";
import { noBytes, type Stamp, status } from "../../runtime/lane-encoding.js";
import { systemTable } from "../../runtime/system-table.js";
import { BatchRows, type CommittedRows } from "./program-rows.js";

/** What a request that is recorded carries. */
export interface HarnessStamp {
  readonly id: Uint8Array;
  readonly digest: number;
  readonly reads: Uint8Array;
}

export function record(
  rows: BatchRows,
  id: Uint8Array,
  digest: number,
  reply: Uint8Array,
  reads: Uint8Array = noBytes,
): void {
  const row = new ByteWriter(16 + reply.length + reads.length);
  row.u32(digest);
  row.u8(status.ok);
  row.lengthPrefixed(reply);
  row.bytes(reads);
  rows.put(systemTable.operations, id, row.finish(), false);
}

/** Records a note at once: the frame that has it is committed. */
export function noted(
  rows: CommittedRows,
  name: Uint8Array,
  outcome: Uint8Array,
  { id, reads }: Pick<Stamp, "id" | "reads">,
): void {
  const batch = new BatchRows(rows, limits.valueBytesMax);
  record(batch, id, noteDigest(name), outcome, reads);
  rows.commit(batch);
}

/** `Turn.once`: what was carried out stays known for ever. */
export function calledOnce(
  rows: BatchRows,
  call: Uint8Array,
  message: Uint8Array,
  apply: () => void,
): void {
  const known = rows.get(systemTable.calls, call);
  if (known === undefined) {
    apply();
    rows.put(systemTable.calls, call, message.slice(), false);
  } else if (Buffer.compare(known, message) !== 0) {
    throw new PartitaError("ID_REUSED", { id: formatCallId(call) });
  }
}

export function forget(rows: BatchRows, id: Uint8Array): void {
  rows.delete(systemTable.operations, id);
}

/** The reply that was recorded for the same call. */
export function recorded(rows: BatchRows, { id, digest }: HarnessStamp): Uint8Array | undefined {
  const row = rows.get(systemTable.operations, id);
  const found = row === undefined ? undefined : decodeRecord(row);
  return found?.digest === digest ? found.reply.bytes : undefined;
}

/** What one task has recorded of a node invocation. */
export function recalled(task: number, rows: CommittedRows, prefix: Uint8Array): RecalledRow[] {
  const found: RecalledRow[] = [];
  const to = successorOfPrefix(prefix);
  for (let from = operationId(prefix, 0); ; ) {
    const page = rows.page(systemTable.operations, { from, to }, 256);
    for (const { key, value } of page) {
      found.push({ task, key, value });
      from = new Uint8Array([...key, 0]);
    }
    if (page.length === 0) return found;
  }
}
