// Gates — who has the key of a keyed node, and who waits in line for it.
//
// Owns: the lines, in memory; rows of the queue stand behind every number in them. Leaves to
// others: when a row enters and leaves, and starting the next (node-runner.ts), who waits in vain
// (key-deadlocks.ts).
//
// Invariants:
//   Y1. A gate has one holder, who holds it until it leaves; then the one that entered next, and
//       has not left the line, has it (R1 of node-runner.ts).
//   Y2. A holder that yields is out of the line, and has a claim to come back: before all that
//       wait in line, behind others that came back earlier.

import { Fifo } from "../fifo.js";
import type { RunMessage } from "../wire/message.js";

interface Gate {
  holder: number | undefined;
  readonly line: Fifo<number>;
  /** Have yielded, and want it again (Y2). */
  readonly returning: Fifo<number>;
  /** Of the line, or of those that return: have left. */
  gone: Set<number> | undefined;
  /** Are away. */
  yielded: Set<number> | undefined;
}

export class Gates {
  /** Gates that somebody holds, or has a claim to. */
  readonly #gates = new Map<string, Gate>();

  /** Whether the row has the gate now; if not, it waits in line. */
  enter(name: string, arrivalNo: number): boolean {
    const gate = this.#gate(name);
    if (gate.holder === undefined) {
      gate.holder = arrivalNo;
      return true;
    }
    gate.line.push(arrivalNo);
    return false;
  }

  /** A row has yielded in an earlier life. */
  enterYielded(name: string, arrivalNo: number): void {
    const gate = this.#gate(name);
    gate.yielded ??= new Set();
    gate.yielded.add(arrivalNo);
  }

  holds(name: string, arrivalNo: number): boolean {
    return this.#gates.get(name)?.holder === arrivalNo;
  }

  holder(name: string): number | undefined {
    return this.#gates.get(name)?.holder;
  }

  /** Those that wait in line, in the order in which they entered. */
  line(name: string): readonly number[] {
    const gate = this.#gates.get(name);
    if (gate === undefined || gate.line.length === 0) return [];
    return gate.line.items().filter((arrivalNo) => gate.gone?.has(arrivalNo) !== true);
  }

  /** The holder gives the gate up for a while. Returns the row that has it now, if any waited. */
  yield(name: string, arrivalNo: number): number | undefined {
    if (!this.holds(name, arrivalNo)) return undefined;
    this.enterYielded(name, arrivalNo);
    return this.#next(name);
  }

  /** Whether a row that has yielded has the gate again; if not, its turn comes (Y2). */
  regain(name: string, arrivalNo: number): boolean {
    const gate = this.#gate(name);
    if (gate.yielded?.delete(arrivalNo) !== true) return gate.holder === arrivalNo;
    if (gate.holder === undefined) gate.holder = arrivalNo;
    else gate.returning.push(arrivalNo);
    return gate.holder === arrivalNo;
  }

  /** A row leaves. If the gate was its own, returns the row that has it now, if any waited. */
  leave(name: string, arrivalNo: number): number | undefined {
    const gate = this.#gates.get(name);
    if (gate === undefined) return undefined;
    if (gate.yielded?.delete(arrivalNo) === true) {
      this.#forgetIfFree(name, gate);
      return undefined;
    }
    if (gate.holder === arrivalNo) return this.#next(name);
    gate.gone ??= new Set();
    gate.gone.add(arrivalNo);
    return undefined;
  }

  #next(name: string): number | undefined {
    const gate = this.#gate(name);
    gate.holder = firstOf(gate.returning, gate.gone) ?? firstOf(gate.line, gate.gone);
    this.#forgetIfFree(name, gate);
    return gate.holder;
  }

  #gate(name: string): Gate {
    let gate = this.#gates.get(name);
    if (gate === undefined) {
      const lines = { line: new Fifo<number>(), returning: new Fifo<number>() };
      gate = { holder: undefined, ...lines, gone: undefined, yielded: undefined };
      this.#gates.set(name, gate);
    }
    return gate;
  }

  #forgetIfFree(name: string, { holder, yielded }: Gate): void {
    if (holder === undefined && (yielded?.size ?? 0) === 0) this.#gates.delete(name);
  }
}

/** The first of a line that has not left it. */
function firstOf(line: Fifo<number>, gone: Set<number> | undefined): number | undefined {
  let next = line.shift();
  while (next !== undefined && gone?.delete(next) === true) next = line.shift();
  return next;
}

/** The gate in front of a row; `undefined` when its node is plain. */
export function gateOf(run: RunMessage): string | undefined {
  if (run.key === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = run.key;
  const key = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  return `${run.agent} ${run.node} ${key}`;
}
