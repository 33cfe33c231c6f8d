// Completion — what follows when a node function has returned: its emits go to the tasks that are
// to run them, and home is told what the node invocation was and came to.
//
// An emit to a gather starts nothing: it is an input of the scope, which home collects. Scatters
// and gathers run at home, keyed nodes where their key is, plain ones in a round.
// Owns: where each emit runs. Leaves to others: nodes that have failed (failed-nodes.ts), rows
// (node-queue.ts), what home does with the ack (home/).
// Invariant E2 of execution.ts.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import type { AgentDefinition } from "../declare/definition.js";
import { type AckMessage, type EmitRecord, encodeAck, encodeNodeRecord } from "../wire/ack.js";
import { childNodeId, placementOf } from "../wire/invocation-id.js";
import { encodeRun, type RunMessage } from "../wire/message.js";
import type { DoneNodes } from "./done-nodes.js";
import type { CompletedRun } from "./node-effects.js";
import type { NodeQueue } from "./node-queue.js";
import type { NodeRunner } from "./node-runner.js";
import { PlainRound } from "./plain-round.js";
import type { Waits } from "./waits.js";

/** What home does with an ack; `kept`: the bytes of the record in it. */
type Settle = (turn: Turn, ack: AckMessage, kept: Uint8Array) => void;

export class Completions {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #waits: Waits;
  readonly #runner: NodeRunner;
  readonly #settle: Settle;
  readonly #done: DoneNodes;

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    queue: NodeQueue,
    waits: Waits,
    runner: NodeRunner,
    done: DoneNodes,
    settle: Settle,
  ) {
    this.#done = done;
    this.#settle = settle;
    this.#port = port;
    this.#agents = agents;
    this.#queue = queue;
    this.#waits = waits;
    this.#runner = runner;
  }

  /** The function of a row, whose `run` message is `taken`, has returned, and not failed. */
  complete(turn: Turn, taken: RunMessage, message: CompletedRun): void {
    const { arrivalNo, attempt, end, carry, trace, recorded } = message;
    this.#queue.take(turn, arrivalNo);
    this.#waits.drop(turn, arrivalNo, taken);
    this.#waits.children.forget(turn, arrivalNo);
    const { agent, invocationId, nodeInvocationId, node, scope } = taken;
    const nodes = this.#agents.get(agent)?.nodes;
    const gather = nodes?.get(node)?.kind === "scatter" ? nodes.get(node)?.gather : undefined;
    const inner = gather === undefined ? scope : nodeInvocationId;
    const home = this.#port.ownerOf(placementOf(invocationId));
    const round = new PlainRound(this.#port);
    const emits = message.emits.map((emit, index): EmitRecord => {
      const id = childNodeId(nodeInvocationId, index);
      const kind = nodes?.get(emit.node)?.kind;
      const { key, message: bytes } = emit;
      if (kind === "gather") {
        return { id, node: emit.node, task: undefined, key, message: bytes };
      }
      const task = kind === "scatter" ? home : this.#taskOf(key, round);
      const next = { node: emit.node, nodeInvocationId: id, scope: inner, key, message: bytes };
      const run: RunMessage = { ...taken, attempt, ...next };
      turn.send(task, encodeRun(run));
      return { id, node: emit.node, task, key, message: bytes };
    });
    const task = this.#port.taskId;
    const ended = { node, scope, attempt, task, end, emits, gather: gather ?? "", carry, trace };
    this.#tell(turn, home, { kind: "ack", invocationId, nodeInvocationId, ...ended });
    this.#done.forget(turn, taken, recorded);
    turn.afterCommit(() => this.#runner.completed(arrivalNo));
  }

  /** Home is this task for most: then the ack needs no bytes, but for those that are kept. */
  #tell(turn: Turn, home: number, ack: AckMessage): void {
    if (home !== this.#port.taskId) {
      turn.send(home, encodeAck(ack));
      return;
    }
    const kept = encodeNodeRecord(ack);
    turn.sendOwn((own) => this.#settle(own, ack, kept));
  }

  #taskOf(key: Uint8Array | undefined, round: PlainRound): number {
    return key === undefined ? round.next() : this.#port.ownerOf(hashKey(key));
  }
}
