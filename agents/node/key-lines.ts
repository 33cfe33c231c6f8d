// Key lines — the gates of keyed nodes, with what rows do there: wait, give up what they hold while
// they rest, and be refused when they would wait for ever.
//
// Owns: whether a row may go on, by its key. Leaves to others: the lines themselves (gates.ts),
// what a deadlock is (key-deadlocks.ts), running and refusing (node-runner.ts).

import type { PartitaError } from "../../base/errors.js";
import type { AgentDefinition } from "../declare/definition.js";
import { entryNodeId, type InvocationId, isSameNode, rootNodeId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { Gates, gateOf } from "./gates.js";
import { keyDeadlock } from "./key-deadlocks.js";
import type { NodeQueue } from "./node-queue.js";
import type { NodeRun } from "./node-run.js";
import type { OpenWaits } from "./open-waits.js";

export class KeyLines {
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #open: OpenWaits;
  readonly #running: ReadonlyMap<number, NodeRun>;
  readonly #queue: NodeQueue;
  readonly #gates = new Gates();

  constructor(
    agents: ReadonlyMap<string, AgentDefinition>,
    open: OpenWaits,
    running: ReadonlyMap<number, NodeRun>,
    queue: NodeQueue,
  ) {
    this.#agents = agents;
    this.#open = open;
    this.#running = running;
    this.#queue = queue;
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

  /** Why a row that waits in line would do so for ever. */
  deadlock(run: RunMessage): PartitaError | undefined {
    const gate = gateOf(run);
    const holder = gate === undefined ? undefined : this.#gates.holder(gate);
    if (holder === undefined) return undefined;
    const running = this.#running.get(holder);
    const followed = running?.followed.filter(({ child, isWhole }) => {
      // Nothing else of it runs while its root does not.
      return isWhole || isRootOf(child, run);
    });
    const awaited = followed?.map(({ child }) => child) ?? [];
    const children = [...this.#open.childrenOf(holder), ...awaited];
    if (children.length === 0) return undefined;
    return keyDeadlock(run, running?.row.run ?? this.#queue.read(holder), children);
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

/** Whether a row is the first one of an invocation. */
function isRootOf(child: InvocationId, run: RunMessage): boolean {
  const { invocationId, nodeInvocationId: id, attempt } = run;
  if (Buffer.compare(invocationId, child) !== 0) return false;
  return isSameNode(id, entryNodeId(child)) || isSameNode(id, rootNodeId(child, attempt));
}
