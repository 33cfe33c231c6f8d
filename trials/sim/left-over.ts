// Left over — invocations that were under way when a power cut took the newest frames of each task
// for itself (L1): every one that its home still knows comes to its end, whatever is missing.
//
// Owns: driving them there, by time and by answers, and the verdict. Leaves to others: everything
// that comes after the cut (judge.ts).

import { decodeRecord, invocationTable } from "../../agents/home/invocation-record.js";
import { formatInvocationId, isZeroId } from "../../agents/wire/invocation-id.js";
import type { Simulation } from "../../testing/simulation.js";
import type { Run } from "./run.js";

/** An invocation that is not over: it has no outcome, or something of it has not ended. */
interface Unfinished {
  readonly agent: string;
  readonly id: string;
  readonly state: string;
}

/** Longer than a look for lost nodes takes to come round; the pauses between looks grow. */
const roundMs = 15_000;
/** Rounds in which nothing is asked: then nothing will be. */
const silentRoundsMax = 12;
const pageRows = 256;

/** Brings them to their end. */
export async function finishLeftOver(
  simulation: Simulation,
  run: Run,
  tasks: number,
): Promise<void> {
  for (let silent = 0; silent < silentRoundsMax; silent += 1) {
    const left = unfinished(simulation, tasks);
    if (left.length === 0) return;
    for (const { agent, id } of left) if (await answerAll(run, agent, id)) silent = -1;
    await simulation.advance(silent < 0 ? 100 : roundMs);
  }
  for (const { agent, id, state } of unfinished(simulation, tasks)) {
    run.violations.push(`L1: ${id} of ${agent} is ${state}, and goes no further`);
  }
}

/** Answers whatever it asks; returns whether it did. */
async function answerAll(run: Run, agent: string, id: string): Promise<boolean> {
  // cast: the agents of this topology are known by their names.
  const invocation = run.runtime.agent(agent as "inquiries").get(id);
  const open = await invocation.humanInputs();
  for (const question of open) {
    // It may have been asked by a node that is gone.
    await invocation.answer(question, { token: run.name("late") }).catch(() => {});
  }
  return open.length > 0;
}

function unfinished(simulation: Simulation, tasks: number): readonly Unfinished[] {
  const found: Unfinished[] = [];
  for (let task = 0; task < tasks; task += 1) {
    const storage = simulation.site.opened(task)?.inner;
    if (storage === undefined) continue;
    for (let from = new Uint8Array(0); ; ) {
      const rows = storage.page(invocationTable, { from }, pageRows);
      for (const { key, value } of rows) {
        from = new Uint8Array([...key, 0]);
        const { agent, state, outstanding } = decodeRecord(value);
        if (state.kind !== "pending" && isZeroId(outstanding)) continue;
        found.push({ agent, id: formatInvocationId(key), state: state.kind });
      }
      if (rows.length === 0) break;
    }
  }
  return found;
}
