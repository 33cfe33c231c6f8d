// Gates — who has the key of a keyed node, and who waits in line for it.
//
// Owns: the lines, in memory; rows of the queue stand behind every number in them. Leaves to
// others: when a row enters and leaves, and starting the next (node-runner.ts).
//
// Invariant: a gate has one holder, who holds it until it leaves; then the one that entered next,
// and has not left the line, has it (R1 of node-runner.ts).

import { Fifo } from "../fifo.js";
import type { RunMessage } from "../wire/message.js";

interface Gate {
  holder: number;
  readonly line: Fifo<number>;
  /** Of the line: have left it. */
  gone: Set<number> | undefined;
}

export class Gates {
  /** Gates that somebody holds. */
  readonly #gates = new Map<string, Gate>();

  /** Whether the row has the gate now; if not, it waits in line. */
  enter(name: string, arrivalNo: number): boolean {
    const gate = this.#gates.get(name);
    if (gate === undefined) {
      this.#gates.set(name, { holder: arrivalNo, line: new Fifo(), gone: undefined });
      return true;
    }
    gate.line.push(arrivalNo);
    return false;
  }

  holds(name: string, arrivalNo: number): boolean {
    return this.#gates.get(name)?.holder === arrivalNo;
  }

  /** A row leaves. If the gate was its own, returns the row that has it now, if any waited. */
  leave(name: string, arrivalNo: number): number | undefined {
    const gate = this.#gates.get(name);
    if (gate === undefined) return undefined;
    if (gate.holder !== arrivalNo) {
      gate.gone ??= new Set();
      gate.gone.add(arrivalNo);
      return undefined;
    }
    let next = gate.line.shift();
    while (next !== undefined && gate.gone?.delete(next)) next = gate.line.shift();
    if (next === undefined) this.#gates.delete(name);
    else gate.holder = next;
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
