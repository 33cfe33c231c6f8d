// Earlier runs — what was recorded of a node invocation by runs of it before: replayed to the next
// one, or taken away with the row when there is none.
//
// Owns: looking it up, and where more may be recorded meanwhile. Leaves to others: the records
// (runtime/call-records.ts), the journal that replays them (runtime/operation-journal.ts), when
// they are forgotten (done-nodes.ts).
//
// Invariants:
//   P1. What is found has a place for the outcome of each wait that an earlier run has requested:
//       the task records it there by itself, also after this has looked, until the row goes.

import { OperationJournal } from "../../runtime/operation-journal.js";
import { operationIndex } from "../../runtime/operation-id.js";
import type { TaskPort } from "../../runtime/task-program.js";
import type { RecordedOperations } from "../wire/recorded-operations.js";

/** Lets `journal` replay what all tasks have recorded of its node invocation. */
export async function replayEarlier(port: TaskPort, journal: OperationJournal): Promise<void> {
  const rows = await port.recall(journal.prefix);
  journal.replay(rows);
  const own = rows.filter(({ task }) => task === port.taskId);
  const indexes = new Set(own.map(({ key }) => operationIndex(key)));
  // Which of them are requests no record says; a place more than is needed does no harm (P1).
  for (const index of indexes) {
    if (indexes.has(index + 1)) continue;
    journal.expect(port.taskId, { index: index + 1, known: undefined });
  }
}

/** Where operations of the earlier runs of a node invocation are recorded, or may be. */
export async function recordedEarlier(
  port: TaskPort,
  prefix: Uint8Array,
): Promise<readonly RecordedOperations[]> {
  const journal = new OperationJournal(prefix);
  await replayEarlier(port, journal);
  return recordedIn(journal);
}

/** Where operations are recorded, as far as a journal knows. */
export function recordedIn(journal: OperationJournal): readonly RecordedOperations[] {
  return Array.from(journal.touched, ([task, indexes]) => ({ task, indexes }));
}
