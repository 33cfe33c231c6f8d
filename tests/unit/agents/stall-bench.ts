// What tests of stalls share: losing node invocations, and letting looks happen.

import { queueTable } from "../../../agents/node/node-queue.js";
import { decodeRun, type RunMessage } from "../../../agents/wire/message.js";
import type { ProgramHarness } from "../../support/program-harness.js";
import { BatchRows } from "../../support/program-rows.js";

/** Takes rows of nodes away from their tasks, as a power cut in a weak mode may do. */
export function lose(harness: ProgramHarness, ...nodes: readonly string[]): number {
  return loseRows(harness, ({ node: name }) => nodes.includes(name));
}

/** The same of rows that hold such runs. */
export function loseRows(harness: ProgramHarness, isLost: (run: RunMessage) => boolean): number {
  let lost = 0;
  for (let task = 0; task < harness.taskCount; task += 1) {
    const rows = harness.rows(task);
    const batch = new BatchRows(rows, 8_388_608);
    let from = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1]);
    for (;;) {
      const page = rows.page(queueTable, { from, to: Uint8Array.of(0xff) }, 16);
      for (const { key, value } of page) {
        from = new Uint8Array([...key, 0]);
        if (!isLost(decodeRun(value))) continue;
        batch.delete(queueTable, key);
        lost += 1;
      }
      if (page.length === 0) break;
    }
    rows.commit(batch);
    harness.crash(task);
  }
  return lost;
}

/** Lets looks happen, one after the other, with whatever follows from each. */
export async function looks(harness: ProgramHarness, count: number): Promise<void> {
  for (let look = 0; look < count; look += 1) {
    harness.clock.pass(10_000);
    await harness.runNow();
  }
}
