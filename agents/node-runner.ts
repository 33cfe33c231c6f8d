// Node runner — decides which node function runs when, and runs it, outside of any frame.
//
// Owns: the gates of keys, the bound on what runs at once, what of the queue is held in memory.
// Leaves to others: the queue on disk (node-queue.ts), a function's context and effects
// (active-node.ts), what becomes of them (execution.ts, to which they go as a `completed`
// message).
//
// Invariants:
//   R1. At most one invocation per (agent, node, key) runs. Its gate opens when its completion is
//       committed, not when its function has returned, and then to the one that arrived next.
//   R2. At most `runningNodesMax` functions run; those that may run start in the order of arrival.
//   R3. Of what waits, only a number is kept for certain; rows are kept within `rowsKeptMax` and
//       `rowsKeptBytesMax`, the rest is read back when its turn comes.
//   R5. The function of a row from an earlier life replays what that life recorded of it.
//   R4. Nothing starts before `begin`: what is refused at the start has run nothing. After `abort`
//       nothing starts and nothing is submitted: rows stay for the next launch.
//   R5. While the port says no (a disk that is all but full), nothing starts; what is ready counts
//       as running then, so that a drain waits for it.

import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import type { TaskPort } from "../runtime/task-program.js";
import { ActiveNode, type NodeEffects } from "./active-node.js";
import type { AgentDefinition, NodeDefinition } from "./definition.js";
import { encodeFailure } from "./failure.js";
import { Fifo } from "./fifo.js";
import { formatNodeId, operationPrefix } from "./invocation-id.js";
import { encodeCompleted, type RunMessage } from "./message.js";
import { type MessageBounds, messageBounds } from "./message-bounds.js";
import type { NodeQueue } from "./node-queue.js";
import { decodeMessage } from "./wire-field.js";

/** What a runner may hold at once. */
export interface RunnerBounds {
  readonly runningNodesMax: number;
  /** Rows that wait, kept decoded so that they need not be read back. */
  readonly rowsKeptMax: number;
  readonly rowsKeptBytesMax: number;
  /** The largest row that a task's storage takes: bounds messages and results. */
  readonly rowBytesMax: number;
}

export const runnerBoundsDefault: RunnerBounds = {
  runningNodesMax: limits.runningNodesMax,
  rowsKeptMax: 16 * 1024,
  rowsKeptBytesMax: 64 * 1024 * 1024,
  rowBytesMax: limits.valueBytesMax,
};

interface Running {
  readonly node: ActiveNode;
  readonly gate: string | undefined;
}

/** The attempt of every node invocation: an invocation is tried once. */
const attempt = 0;

export class NodeRunner {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #bounds: RunnerBounds;
  readonly #messageBounds: MessageBounds;
  /** May run as soon as there is room: plain, or in possession of their gate. */
  readonly #ready = new Fifo<number>();
  /** Gates that somebody possesses, with those who wait for them. */
  readonly #gates = new Map<string, Fifo<number>>();
  readonly #kept = new Map<number, RunMessage>();
  #keptBytes = 0;
  /** Rows of an earlier life: whether their functions had begun then, nobody knows. */
  readonly #recovered = new Set<number>();
  /** From the start of the function until its completion is committed. */
  readonly #running = new Map<number, Running>();
  /** The port has said no, and what is ready waits for it (R5). */
  #heldBack = false;
  #phase: "recovering" | "running" | "aborted" = "recovering";

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    queue: NodeQueue,
    bounds: RunnerBounds,
  ) {
    this.#port = port;
    this.#agents = agents;
    this.#queue = queue;
    this.#bounds = bounds;
    this.#messageBounds = messageBounds(bounds.rowBytesMax);
    port.onMayStart(() => this.#startReady());
  }

  /** Node invocations that will still submit their completion, or have and wait for its commit. */
  get running(): number {
    return this.#running.size + (this.#heldBack ? this.#ready.length : 0);
  }

  /** All rows that were left from before are queued: what may run starts. */
  begin(): void {
    this.#phase = "running";
    this.#startReady();
  }

  /**
   * A row of the queue is committed: its function runs when its turn comes. Keeps `run`.
   * @throws PartitaError AGENT_UNKNOWN, NODE_UNKNOWN
   */
  enqueue(arrivalNo: number, run: RunMessage): void {
    this.#definitionOf(run);
    if (this.#phase === "recovering") this.#recovered.add(arrivalNo);
    this.#keep(arrivalNo, run);
    const gate = gateOf(run);
    const waiting = gate === undefined ? undefined : this.#gates.get(gate);
    if (waiting !== undefined) {
      waiting.push(arrivalNo);
      return;
    }
    if (gate !== undefined) this.#gates.set(gate, new Fifo());
    this.#ready.push(arrivalNo);
    this.#startReady();
  }

  /** The completion of a row is committed: its gate opens to the next (R1). */
  completed(arrivalNo: number): void {
    const running = this.#running.get(arrivalNo);
    if (running === undefined) {
      assert(this.#isAborted(), () => `row ${arrivalNo} was completed and never ran`);
      return;
    }
    this.#running.delete(arrivalNo);
    if (running.gate !== undefined) this.#openGate(running.gate);
    this.#startReady();
  }

  /** Aborts the signals of what runs, and forgets it (R4). */
  abort(reason: unknown): void {
    this.#phase = "aborted";
    for (const { node } of this.#running.values()) node.abort(reason);
    this.#running.clear();
    this.#heldBack = false;
  }

  #openGate(gate: string): void {
    const next = this.#gates.get(gate)?.shift();
    if (next === undefined) this.#gates.delete(gate);
    else this.#ready.push(next);
  }

  #startReady(): void {
    while (this.#phase === "running" && this.#running.size < this.#bounds.runningNodesMax) {
      this.#heldBack = this.#ready.length > 0 && !this.#port.mayStart();
      if (this.#heldBack) return;
      const arrivalNo = this.#ready.shift();
      if (arrivalNo === undefined) return;
      const run = this.#takeKept(arrivalNo) ?? this.#queue.read(arrivalNo);
      const { agent, node } = this.#definitionOf(run);
      const active = new ActiveNode(run, agent, node, this.#port, this.#messageBounds);
      this.#running.set(arrivalNo, { node: active, gate: gateOf(run) });
      void this.#run(arrivalNo, run, node, active);
    }
  }

  async #run(
    arrivalNo: number,
    run: RunMessage,
    node: NodeDefinition,
    active: ActiveNode,
  ): Promise<void> {
    // The frame before it has just been opened to readers: replies go out before users' code runs.
    await undefined;
    if (this.#isAborted()) return;
    if (this.#recovered.delete(arrivalNo)) {
      active.replay(await this.#port.recall(operationPrefix(run)));
      if (this.#isAborted()) return;
    }
    this.#port.entered(arrivalNo, run.agent, run.node);
    const running = runFunction(run, node, active);
    this.#port.left();
    const effects = await running;
    if (this.#isAborted()) return;
    this.#port.submit(encodeCompleted({ kind: "completed", arrivalNo, ...effects }));
  }

  /** Asked again after each wait: a field that was compared once would count as known. */
  #isAborted(): boolean {
    return this.#phase === "aborted";
  }

  #definitionOf(run: RunMessage): { agent: AgentDefinition; node: NodeDefinition } {
    const agent = this.#agents.get(run.agent);
    if (agent === undefined) {
      const known = [...this.#agents.keys()];
      throw new PartitaError("AGENT_UNKNOWN", { agent: run.agent, known });
    }
    const node = agent.nodes.get(run.node);
    if (node === undefined) {
      const known = [...agent.nodes.keys()];
      throw new PartitaError("NODE_UNKNOWN", { agent: run.agent, node: run.node, known });
    }
    return { agent, node };
  }

  #keep(arrivalNo: number, run: RunMessage): void {
    const { rowsKeptMax, rowsKeptBytesMax } = this.#bounds;
    if (this.#kept.size >= rowsKeptMax || this.#keptBytes >= rowsKeptBytesMax) return;
    this.#kept.set(arrivalNo, run);
    this.#keptBytes += run.message.length;
  }

  #takeKept(arrivalNo: number): RunMessage | undefined {
    const run = this.#kept.get(arrivalNo);
    if (run === undefined) return undefined;
    this.#kept.delete(arrivalNo);
    this.#keptBytes -= run.message.length;
    return run;
  }
}

/** Runs a node function to its end, operations that it has not awaited included. */
async function runFunction(
  run: RunMessage,
  node: NodeDefinition,
  active: ActiveNode,
): Promise<NodeEffects> {
  let thrown: { readonly error: unknown } | undefined;
  try {
    await node.run(active.context(), decodeMessage(run.message));
  } catch (error) {
    thrown = { error };
  }
  try {
    await active.finish();
  } catch (error) {
    // What the function itself threw came first.
    thrown ??= { error };
  }
  if (thrown === undefined) return active.effects();
  const nodeInvocationId = formatNodeId(run.nodeInvocationId);
  const failure = { node: run.node, nodeInvocationId, attempt };
  const end = { kind: "failure" as const, error: encodeFailure(failure, thrown.error) };
  return { emits: [], end, recorded: active.recorded() };
}

function gateOf(run: RunMessage): string | undefined {
  if (run.key === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = run.key;
  const key = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  return `${run.agent} ${run.node} ${key}`;
}
