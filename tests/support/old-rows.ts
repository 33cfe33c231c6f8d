// Old rows — what a power cut in a weak mode does to a task: it has the rows of an earlier moment,
// and others have what was heard of it since.

import { deadLetterTable } from "../../agents/node/dead-letters.js";
import { fenceTable } from "../../agents/node/fences.js";
import { queueTable } from "../../agents/node/node-queue.js";
import { waitTable } from "../../agents/node/wait-rows.js";
import { invocationTable } from "../../agents/home/invocation-record.js";
import { treeTable } from "../../agents/home/tree.js";
import { systemTable } from "../../runtime/system-table.js";
import type { StoredRow } from "../../store/storage.js";
import { numberKey } from "../../agents/wire/number-key.js";
import type { ProgramHarness } from "./program-harness.js";
import type { CommittedRows } from "./program-rows.js";

/** Where a queue has its mark: no number is given again. */
const markKey = numberKey(0);

/** Rows of nodes that run, and what was recorded of them. */
export const rowTables = [queueTable, waitTable, systemTable.operations] as const;
export const fences = [fenceTable] as const;
export const letters = [deadLetterTable] as const;
/** What home tasks know of invocations. */
export const homeTables = [invocationTable, treeTable] as const;

/**
 * Notes the rows of these tables, on all tasks or one, when nothing is on its way. The function
 * that it returns brings them back, at a later moment like that, and starts these tasks again.
 */
export function keepOld(
  harness: ProgramHarness,
  tables: readonly number[],
  one?: number,
): () => void {
  const all = Array.from({ length: harness.taskCount }, (_, task) => task);
  const tasks = one === undefined ? all : [one];
  const old = tasks.map((task) => tables.map((table) => rowsOf(harness.rows(task), table)));
  return () => {
    for (const [nth, task] of tasks.entries()) {
      const rows = harness.rows(task);
      for (const [at, table] of tables.entries()) {
        const mark = table === queueTable ? rows.get(table, markKey) : undefined;
        const marks = mark === undefined ? [] : [{ version: 1, key: markKey, value: mark }];
        rows.bringBack(table, [...marks, ...(old[nth]?.[at] ?? [])]);
      }
    }
    for (const task of tasks) harness.crash(task);
  };
}

/** How many rows of nodes there are, over all tasks. */
export function nodeRows(harness: ProgramHarness): number {
  let count = 0;
  for (let task = 0; task < harness.taskCount; task += 1) {
    const rows = rowsOf(harness.rows(task), queueTable);
    count += rows.filter(({ key }) => key[0] !== 0xff).length;
  }
  return count;
}

/** All rows of a table, but for the mark of a queue. */
function rowsOf(rows: CommittedRows, table: number): readonly StoredRow[] {
  const found: StoredRow[] = [];
  for (let from = table === queueTable ? numberKey(1) : new Uint8Array(0); ; ) {
    const page = rows.page(table, { from }, 16);
    for (const row of page) {
      found.push(row);
      from = new Uint8Array([...row.key, 0]);
    }
    if (page.length === 0) return found;
  }
}
