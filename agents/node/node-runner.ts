// Node runner — decides which node function runs when, and runs it, outside of any frame.
//
// Owns: what is ready, the bound on what runs at once, starting it.
// Leaves to others: the queue on disk (node-queue.ts), who has a key and who waits for it
// (gates.ts), what of the queue is held in memory (kept-rows.ts), a function's context and effects
// (active-node.ts), what becomes of them (execution.ts and failed-nodes.ts, to which they go as
// messages), the turns of suspects (suspects.ts).
//
// Invariants:
//   R1. At most one invocation per (agent, node, key) runs. Its gate opens when its completion is
//       committed, not when its function has returned, and then to the one that arrived next. While
//       it is parked it keeps the gate.
//   R2. At most `runningNodesMax` functions run, and one suspect; those that may run start in the
//       order of arrival, a parked one when its pause is over. A pause holds no place among them.
//   R3. Of what waits, only a number is kept for certain: the row is read back when its turn comes.
//   R4. Nothing starts before `begin`: what is refused at the start has run nothing. After `abort`
//       nothing starts and nothing is submitted: rows stay for the next launch.
//   R5. While the port says no (a disk that is all but full), nothing starts; what is ready counts
//       as running then, so that a drain waits for it.
//   R6. A function that may have run before (in an earlier life, before it threw, until its message
//       was a dead letter) replays what was recorded of it then.
//   R7. In a life that follows a death, no row of an earlier life starts before a durable mark says
//       so. One that has such a mark already, or that the watchdog names, is a suspect: it waits
//       for `runSuspects`. One with `suspectDeathsMax` marks is buried unrun.

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { ActiveNode } from "./active-node.js";
import type { AgentDefinition, NodeDefinition } from "../declare/definition.js";
import { Fifo } from "../fifo.js";
import { operationPrefix } from "../wire/invocation-id.js";
import { encodeCompleted, type RunMessage } from "../wire/message.js";
import { type MessageBounds, messageBounds } from "../wire/message-bounds.js";
import { Gates, gateOf } from "./gates.js";
import { type KeptBounds, KeptRows } from "./kept-rows.js";
import { failureOf, runFunction } from "./node-function.js";
import type { NodeQueue } from "./node-queue.js";
import { encodePoison } from "../wire/poison-message.js";
import { Suspects } from "./suspects.js";

/** What a runner may hold at once. */
export interface RunnerBounds extends KeptBounds {
  readonly runningNodesMax: number;
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
  readonly run: RunMessage;
  readonly gate: string | undefined;
  /** Runs of it that threw before this one. */
  readonly attempt: number;
  /** It may have run before (R6). */
  readonly rerun: boolean;
  /** None while its mark is on its way to the device. */
  node: ActiveNode | undefined;
}

export class NodeRunner {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #bounds: RunnerBounds;
  readonly #messageBounds: MessageBounds;
  /** May run as soon as there is room: plain, or in possession of their gate. */
  readonly #ready = new Fifo<number>();
  readonly #gates = new Gates();
  readonly #kept: KeptRows;
  /** From when it may start until its completion, or that it is parked, is committed. */
  readonly #running = new Map<number, Running>();
  /** The port has said no, and what is ready waits for it (R5). */
  #heldBack = false;
  /** Lets `runSuspects` go on, if it waits for the port. */
  #release: () => void = () => {};
  /** Parked rows whose pause is not over. */
  readonly #pauses = new Map<number, ReturnType<TaskPort["after"]>>();
  readonly #suspects: Suspects;
  /** Of an earlier life, and started in this one: their mark is durable. */
  readonly #marked = new Set<number>();
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
    this.#kept = new KeptRows(bounds);
    this.#messageBounds = messageBounds(bounds.rowBytesMax);
    this.#suspects = new Suspects(port);
    port.onMayStart(() => {
      this.#release();
      this.#startReady();
    });
  }

  /**
   * Node invocations that will still submit their completion, or have and wait for its commit;
   * those whose pause or turn is yet to come are among them.
   */
  get running(): number {
    const waiting = this.#pauses.size + this.#suspects.waiting;
    return this.#running.size + waiting + (this.#heldBack ? this.#ready.length : 0);
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
    this.assertDeclared(run);
    this.#kept.keep(arrivalNo, run);
    const gate = gateOf(run);
    if (gate !== undefined && !this.#gates.enter(gate, arrivalNo)) return;
    this.#admit(arrivalNo);
    this.#startReady();
  }

  /**
   * The topology still has the node of a row.
   * @throws PartitaError AGENT_UNKNOWN, NODE_UNKNOWN
   */
  assertDeclared(run: RunMessage): void {
    this.#definitionOf(run);
  }

  /** The completion of a row is committed: its gate opens to the next (R1). */
  completed(arrivalNo: number): void {
    const running = this.#ended(arrivalNo);
    if (running === undefined) return;
    this.#marked.delete(arrivalNo);
    const next = running.gate === undefined ? undefined : this.#gates.leave(running.gate);
    if (next !== undefined) this.#admit(next);
    this.#startReady();
  }

  /** That an attempt of a row has failed is committed: after a pause comes the next (R1, R2). */
  parked(arrivalNo: number, pauseMs: number): void {
    const running = this.#ended(arrivalNo);
    if (running === undefined) return;
    this.#kept.keep(arrivalNo, running.run);
    const again = (): void => {
      this.#pauses.delete(arrivalNo);
      this.#ready.push(arrivalNo);
      this.#startReady();
    };
    if (pauseMs > 0) this.#pauses.set(arrivalNo, this.#port.after(pauseMs, again));
    else this.#ready.push(arrivalNo);
    this.#startReady();
  }

  /** That rows of an earlier life are about to start is committed (R7). */
  marked(arrivalNos: readonly number[]): void {
    for (const arrivalNo of arrivalNos) {
      const running = this.#running.get(arrivalNo);
      // Aborted since.
      if (running === undefined) return;
      this.#marked.add(arrivalNo);
      this.#start(arrivalNo, running);
    }
  }

  /** Runs the suspects, one after the other; resolves when each has had its turn. */
  async runSuspects(): Promise<void> {
    for (;;) {
      while (!this.#isAborted() && !this.#port.mayStart()) await this.#released();
      const arrivalNo = this.#suspects.take();
      if (arrivalNo === undefined || this.#isAborted()) return;
      await this.#suspects.run(arrivalNo, () => this.#begin([arrivalNo]));
    }
  }

  /** Aborts the signals of what runs, and forgets it (R4). */
  abort(reason: unknown): void {
    this.#phase = "aborted";
    for (const { node } of this.#running.values()) node?.abort(reason);
    this.#running.clear();
    this.#heldBack = false;
    for (const pause of this.#pauses.values()) pause.cancel();
    this.#pauses.clear();
    this.#suspects.clear();
    this.#release();
  }

  /** Resolves when the port may have changed its mind, or on abort. */
  #released(): Promise<void> {
    return new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** What ran under a number, which is over; `undefined` when it was aborted. */
  #ended(arrivalNo: number): Running | undefined {
    const running = this.#running.get(arrivalNo);
    assert(
      running !== undefined || this.#isAborted(),
      () => `row ${arrivalNo} came to an end and never ran`,
    );
    this.#running.delete(arrivalNo);
    this.#suspects.leave(arrivalNo);
    return running;
  }

  /** A row is plain, or has got its gate. */
  #admit(arrivalNo: number): void {
    const { deaths } = this.#queue.stateOf(arrivalNo);
    const isKnown = deaths > 0 || arrivalNo === this.#port.suspectHint;
    if (this.#needsMark(arrivalNo) && isKnown && deaths < limits.suspectDeathsMax)
      this.#suspects.add(arrivalNo, deaths);
    else this.#ready.push(arrivalNo);
  }

  #needsMark(arrivalNo: number): boolean {
    const { boot } = this.#port;
    return boot.unclean && this.#queue.isRecovered(arrivalNo) && !this.#marked.has(arrivalNo);
  }

  #startReady(): void {
    const starting: number[] = [];
    while (
      this.#phase === "running" &&
      this.#running.size + starting.length < this.#bounds.runningNodesMax
    ) {
      this.#heldBack = this.#ready.length > 0 && !this.#port.mayStart();
      if (this.#heldBack) break;
      const arrivalNo = this.#ready.shift();
      if (arrivalNo === undefined) break;
      starting.push(arrivalNo);
    }
    this.#begin(starting);
  }

  /** Starts rows, those that need one behind a mark (R7): one frame for all of them. */
  #begin(arrivalNos: readonly number[]): void {
    const unmarked: number[] = [];
    for (const arrivalNo of arrivalNos) {
      const run = this.#kept.take(arrivalNo) ?? this.#queue.read(arrivalNo);
      const { attempts, deaths, replayed } = this.#queue.stateOf(arrivalNo);
      const rerun = attempts > 0 || replayed || this.#queue.isRecovered(arrivalNo);
      const gate = gateOf(run);
      const running: Running = { run, gate, attempt: attempts, rerun, node: undefined };
      this.#running.set(arrivalNo, running);
      if (!this.#needsMark(arrivalNo)) this.#start(arrivalNo, running);
      else if (deaths < limits.suspectDeathsMax) unmarked.push(arrivalNo);
      else void this.#bury(arrivalNo, running);
    }
    if (unmarked.length === 0) return;
    this.#port.submit(encodePoison({ kind: "mark", arrivalNos: unmarked }));
  }

  #start(arrivalNo: number, running: Running): void {
    const { node } = this.#definitionOf(running.run);
    const active = this.#activeNode(running);
    running.node = active;
    void this.#run(arrivalNo, running, node, active);
  }

  async #run(
    arrivalNo: number,
    { run, attempt, rerun }: Running,
    node: NodeDefinition,
    active: ActiveNode,
  ): Promise<void> {
    // The frame before it has just been opened to readers: replies go out before users' code runs.
    await undefined;
    if (this.#isAborted()) return;
    const refused = rerun ? await this.#recall(run, active) : undefined;
    if (this.#isAborted()) return;
    const effects =
      refused === undefined
        ? await this.#call(arrivalNo, run, node, active, attempt)
        : failureOf(run, active, attempt, refused.error);
    if (this.#isAborted()) return;
    this.#port.submit(encodeCompleted({ kind: "completed", arrivalNo, ...effects }));
  }

  /** Calls the function, under the eyes of the watchdog until it first waits. */
  #call(
    arrivalNo: number,
    run: RunMessage,
    node: NodeDefinition,
    active: ActiveNode,
    attempt: number,
  ): ReturnType<typeof runFunction> {
    this.#port.entered(arrivalNo, run.agent, run.node);
    const running = runFunction(run, node, active, attempt);
    this.#port.left();
    return running;
  }

  /** Gives a row up unrun, with what is recorded of its runs. */
  async #bury(arrivalNo: number, running: Running): Promise<void> {
    const active = this.#activeNode(running);
    await this.#recall(running.run, active);
    if (this.#isAborted()) return;
    this.#port.submit(encodePoison({ kind: "bury", arrivalNo, recorded: active.recorded() }));
  }

  /** Lets a function that may have run before replay that; returns why it cannot. */
  async #recall(run: RunMessage, active: ActiveNode): Promise<{ error: unknown } | undefined> {
    try {
      active.replay(await this.#port.recall(operationPrefix(run)));
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  #activeNode({ run }: Running): ActiveNode {
    const { agent, node } = this.#definitionOf(run);
    return new ActiveNode(run, agent, node, this.#port, this.#messageBounds);
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
}
