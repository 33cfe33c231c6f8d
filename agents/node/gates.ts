// Gates — who has the key of a keyed node, and who waits in line for it.
//
// Owns: the lines, in memory; rows of the queue stand behind every number in them. Leaves to
// others: when a row enters and leaves, and starting the next (node-runner.ts).
//
// Invariant: a gate has one holder, who holds it until it leaves; then the one that entered next
// has it (R1 of node-runner.ts).

import { Fifo } from "../fifo.js";
import type { RunMessage } from "../wire/message.js";

export class Gates {
  /** Gates that somebody holds, with those who wait for them. */
  readonly #waiting = new Map<string, Fifo<number>>();

  /** Whether the row has the gate now; if not, it waits in line. */
  enter(gate: string, arrivalNo: number): boolean {
    const waiting = this.#waiting.get(gate);
    if (waiting === undefined) this.#waiting.set(gate, new Fifo());
    else waiting.push(arrivalNo);
    return waiting === undefined;
  }

  /** The holder gives the gate up: returns the row that has it now, if any waited. */
  leave(gate: string): number | undefined {
    const next = this.#waiting.get(gate)?.shift();
    if (next === undefined) this.#waiting.delete(gate);
    return next;
  }
}

/** The gate in front of a row; `undefined` when its node is plain. */
export function gateOf(run: RunMessage): string | undefined {
  if (run.key === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = run.key;
  const key = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  return `${run.agent} ${run.node} ${key}`;
}
