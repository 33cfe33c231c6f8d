// Table rows — the walk over the rows of a table that a task makes when it starts.

import type { TaskPort } from "../runtime/task-program.js";
import type { KeyRange } from "../store/storage.js";

/** What is walked over: a table, or a range of its keys. */
type WalkedRange = Pick<KeyRange, "from" | "to">;

const pageRows = 256;

/** Shows `visit` every committed row of a range, by key. What it gets is its own. */
export function eachRow(
  port: TaskPort,
  table: number,
  range: WalkedRange,
  visit: (key: Uint8Array, value: Uint8Array) => void,
): void {
  for (let rest = range; ; ) {
    const rows = port.page(table, rest, pageRows);
    const last = rows.at(-1);
    if (last === undefined) return;
    for (const { key, value } of rows) visit(key, value);
    const from = new Uint8Array(last.key.length + 1);
    from.set(last.key);
    rest = { ...range, from };
  }
}
