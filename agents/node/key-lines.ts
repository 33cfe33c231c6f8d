// Key lines — the gates of keyed nodes, with what rows do there: wait, and give up what they hold
// while they rest.
//
// Owns: whether a row may go on, by its key. Leaves to others: the lines themselves (gates.ts),
// what a deadlock is (key-deadlocks.ts), running and refusing (node-runner.ts).

import type { AgentDefinition } from "../declare/definition.js";
import type { RunMessage } from "../wire/message.js";
import { Gates, gateOf } from "./gates.js";

export class KeyLines {
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #gates = new Gates();

  constructor(agents: ReadonlyMap<string, AgentDefinition>) {
    this.#agents = agents;
  }

  /**
   * Whether a row that has arrived may go on; if not, it waits in line. `rests`: it was on its way
   * already, and only waits.
   */
  enter(arrivalNo: number, run: RunMessage, rests: boolean): boolean {
    const gate = gateOf(run);
    if (gate === undefined) return true;
    if (!rests || !this.#isReentrant(run)) return this.#gates.enter(gate, arrivalNo);
    this.#gates.enterYielded(gate, arrivalNo);
    return true;
  }

  /** Whether a row has its key, or needs none. */
  holds(arrivalNo: number, gate: string | undefined): boolean {
    return gate === undefined || this.#gates.holds(gate, arrivalNo);
  }

  /** Whether a row may go on that has waited for something else; if not, its turn comes. */
  regain(arrivalNo: number, gate: string | undefined): boolean {
    return gate === undefined || this.#gates.regain(gate, arrivalNo);
  }

  isInLine(arrivalNo: number, gate: string | undefined): boolean {
    return gate !== undefined && this.#gates.line(gate).includes(arrivalNo);
  }

  /** A row only waits. Returns who has its key now, if it has given that up and somebody waited. */
  rest(arrivalNo: number, run: RunMessage): number | undefined {
    const gate = gateOf(run);
    if (gate === undefined || !this.#isReentrant(run)) return undefined;
    return this.#gates.yield(gate, arrivalNo);
  }

  /** A row is gone. Returns who has its key now. */
  leave(arrivalNo: number, gate: string | undefined): number | undefined {
    return gate === undefined ? undefined : this.#gates.leave(gate, arrivalNo);
  }

  /** The row that has the key which a row needs. */
  holder(run: RunMessage): number | undefined {
    const gate = gateOf(run);
    return gate === undefined ? undefined : this.#gates.holder(gate);
  }

  /** Rows that wait for the key that a row holds. */
  behind(run: RunMessage): readonly number[] {
    const gate = gateOf(run);
    return gate === undefined ? [] : this.#gates.line(gate);
  }

  #isReentrant({ agent, node }: RunMessage): boolean {
    return this.#agents.get(agent)?.nodes.get(node)?.reentrant === true;
  }
}
