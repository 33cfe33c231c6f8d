// Node run — one run of a row of the queue: from when it may start until what it came to is
// submitted.
//
// Owns: what is done before the function (an earlier run's operations are looked up), calling it,
// its time limit, and submitting what it came to; the same for a row that is given up or stopped
// unrun. Leaves to others: which row runs when (node-runner.ts), the function's context and effects
// (active-node.ts), what becomes of them (execution.ts).
//
// Invariants:
//   U1. One message is submitted for a run at most, and none after `end` or `retire`.
//   U2. An orphan is a run that was retired: its signal is aborted, its writes are refused, and
//       nothing waits for it but a stop of the same row.
//   U3. A row that may have run before is never taken away without knowing what is recorded of it:
//       tasks would keep that for ever.

import { PartitaError } from "../../base/errors.js";
import type { TaskPort } from "../../runtime/task-program.js";
import type { AgentDefinition, NodeDefinition } from "../declare/definition.js";
import { encodeFailure } from "../wire/failure.js";
import type { Fence } from "../wire/attempt-message.js";
import { formatInvocationId, formatNodeId, operationPrefix } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { type MessageBounds, messageBounds } from "../wire/message-bounds.js";
import { encodePoison } from "../wire/poison-message.js";
import type { RecordedOperations } from "../wire/recorded-operations.js";
import { noBytes } from "../wire/wire-field.js";
import { ActiveNode } from "./active-node.js";
import { recordedEarlier, replayEarlier } from "./earlier-runs.js";
import { attemptOf, type Fences, isStopped } from "./fences.js";
import type { NodeEffects, RunEnded } from "./node-effects.js";
import { failureOf, runFunction } from "./node-function.js";
import { NodeClients } from "./node-clients.js";
import type { FollowedChild } from "./node-looks.js";
import type { NodeWaits } from "./node-waits.js";
import type { RunnerBounds } from "./runner-bounds.js";
import { SoonCalls } from "./soon-calls.js";

/** Is told when what a run waits for has changed. */
interface ChangesListener {
  changed(run: NodeRun): void;
  waitsForChild(arrivalNo: number): void;
}

/** What all runs of a task share. */
export interface RunServices {
  readonly clients: NodeClients;
  readonly waiting: ChangesListener;
  /** A run is over: applied in a batch of its task. */
  readonly completed: RunEnded;
  readonly port: TaskPort;
  readonly agents: ReadonlyMap<string, AgentDefinition>;
  readonly fences: Fences;
  readonly bounds: MessageBounds;
  /** Functions that run when what was made durable before them has been told. */
  readonly soon: SoonCalls;
}

export function runServices(
  port: TaskPort,
  agents: ReadonlyMap<string, AgentDefinition>,
  fences: Fences,
  { rowBytesMax }: RunnerBounds,
  waiting: ChangesListener,
  completed: RunEnded,
): RunServices {
  const clients = new NodeClients(port, agents);
  const bounds = messageBounds(rowBytesMax);
  const soon = new SoonCalls();
  return { port, agents, fences, bounds, waiting, completed, clients, soon };
}

/** A row that may start. */
export interface StartingRow {
  readonly arrivalNo: number;
  readonly run: RunMessage;
  readonly gate: string | undefined;
  /** It may have run before: what was recorded of that is replayed. */
  readonly rerun: boolean;
}

export class NodeRun {
  readonly row: StartingRow;
  readonly #services: RunServices;
  /** As it runs: of the attempt that counts when it starts. */
  #run: RunMessage;
  #active: ActiveNode | undefined;
  #hasStarted = false;
  #isHalted = false;
  /** What still runs of earlier runs, when it is halted: it ends behind them. */
  #orphans: Promise<void> | undefined;
  #hasSubmitted = false;
  /** Whether anything may still be submitted (U1). */
  #isOver = false;
  /** From when it has started until its function has returned. */
  #isCalled = false;
  /** Made when somebody asks for the end of the call: hardly ever. */
  #callEnd: { readonly ended: Promise<void>; readonly resolve: () => void } | undefined;
  /** While its function has a time limit and runs. */
  #limit: ReturnType<TaskPort["after"]> | undefined;

  constructor(row: StartingRow, services: RunServices) {
    this.row = row;
    this.#services = services;
    this.#run = row.run;
  }

  /** Whether it runs: not while its mark is on the way to the device. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** Whether what it came to is on its way: it is decided when that is applied. */
  get hasSubmitted(): boolean {
    return this.#hasSubmitted;
  }

  get attempt(): number {
    return this.#run.attempt;
  }

  /** Resolves when the function has returned; `undefined` when it has, or was never called. */
  get ended(): Promise<void> | undefined {
    if (!this.#isCalled) return undefined;
    this.#callEnd ??= newCallEnd();
    return this.#callEnd.ended;
  }

  /** What the function waits for; `undefined` while it has asked for nothing. */
  get waits(): NodeWaits | undefined {
    return this.#isOver ? undefined : this.#active?.waits;
  }

  /** Whether all that the function does is to wait for what is on record. */
  get isResting(): boolean {
    return !this.#isOver && this.#active?.isResting === true;
  }

  /** Whether all that the function does is to look at other invocations. */
  get isLooking(): boolean {
    return !this.#isOver && this.#active?.isLooking === true;
  }

  /** Invocations that the function waits for by following them: no wait says so. */
  get followed(): readonly FollowedChild[] {
    return this.#isOver ? [] : (this.#active?.awaited ?? []);
  }

  /** Whether it has to stay in memory: its time is limited, or it holds an object of a pool. */
  get isBound(): boolean {
    const { agent, node } = this.row.run;
    const { agents, port } = this.#services;
    if (agents.get(agent)?.nodes.get(node)?.nodeTimeoutMs !== undefined) return true;
    return this.#active !== undefined && port.objects.holds(this.#active);
  }

  /** Calls the function, unless the invocation was stopped meanwhile. */
  start(): void {
    const { run } = this.row;
    const fence = this.#services.fences.of(run.invocationId);
    if (isStopped(run, fence)) {
      void this.stop();
      return;
    }
    this.#begin(fence);
    const declared = this.#declared();
    if (PartitaError.is(declared)) {
      void this.refuse(declared);
      return;
    }
    const { agent, node } = declared;
    const { port, bounds } = this.#services;
    const { arrivalNo } = this.row;
    const changed = (): void => this.#services.waiting.changed(this);
    const waitsForChild = (): void => {
      if (!this.#isOver) this.#services.waiting.waitsForChild(arrivalNo);
    };
    const place = { arrivalNo, changed, waitsForChild, clients: this.#services.clients };
    const active = new ActiveNode(this.#run, agent, node, port, bounds, place);
    this.#active = active;
    this.#isCalled = true;
    this.#services.soon.add(() => this.#call(node, active));
  }

  /** Gives the row up unrun. */
  async bury(): Promise<void> {
    this.#begin(this.#services.fences.of(this.#run.invocationId));
    const { arrivalNo } = this.row;
    const recorded = await this.#recorded();
    if (this.#isOver || recorded === undefined) return;
    this.#close();
    this.#hasSubmitted = true;
    this.#services.port.submit(encodePoison({ kind: "bury", arrivalNo, recorded }));
  }

  /** Ends the row unrun, when what still runs of it has returned; its task takes it away. */
  async stop(orphans?: Promise<void>): Promise<void> {
    this.#begin(this.#services.fences.of(this.#run.invocationId));
    await orphans;
    const recorded = await this.#recorded();
    if (recorded !== undefined) this.#submit({ ...this.#nothing(), recorded });
  }

  /** The invocation is to stop: the signal says so, and what the function comes to is submitted. */
  halt(reason: unknown, refusesWrites: boolean, orphans?: Promise<void>): void {
    this.#isHalted = true;
    this.#orphans = orphans;
    if (refusesWrites) this.#active?.refuseWrites(reason);
    this.#active?.abort(reason);
  }

  /** It is an orphan (U2): another run takes its place. */
  retire(): void {
    this.#close();
    const { agent, node, invocationId } = this.#run;
    const details = { agent, node, invocationId: formatInvocationId(invocationId) };
    this.halt(new PartitaError("INVOCATION_RETRIED", details), true);
  }

  /**
   * The function is given up: it only waits, and another run takes its place when that is over.
   * `stirred` is called if it goes on nevertheless: there was something else it waited for.
   */
  forget(stirred: () => void): void {
    this.#isOver = true;
    this.#active?.forget(stirred);
  }

  /** Nothing that it comes to is heard any more. */
  end(reason: unknown): void {
    this.#close();
    this.#active?.abort(reason);
  }

  #begin(fence: Fence | undefined): void {
    const { run } = this.row;
    this.#hasStarted = true;
    this.#run = fence === undefined ? run : { ...run, attempt: attemptOf(run, fence) };
  }

  /** No promise is made where none is needed: each costs more than most node functions do. */
  #call(node: NodeDefinition, active: ActiveNode): void {
    const { rerun } = this.row;
    const going = rerun || this.#isHalted ? this.#callAgain(node, active) : this.#go(node, active);
    if (going === undefined) this.#returned();
    else void going.finally(() => this.#returned());
  }

  /** The same when it may have run before, or is to stop already. */
  async #callAgain(node: NodeDefinition, active: ActiveNode): Promise<void> {
    const refused = this.row.rerun && !this.#isOver ? await this.#replay(active) : undefined;
    if (this.#isOver) return;
    if (refused !== undefined) this.#submit(failureOf(this.#run, active, refused.error));
    else if (this.#isHalted) {
      await this.#orphans;
      this.#submit({ ...this.#nothing(), recorded: active.recorded() });
    } else await this.#go(node, active);
  }

  #go(node: NodeDefinition, active: ActiveNode): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    this.#limitTime(node, active);
    const running = this.#watched(node, active);
    if (running instanceof Promise) return running.then((effects) => this.#end(effects));
    return this.#end(running);
  }

  /** Of what is cancelled nothing may run any more when it counts as ended. */
  #end(effects: NodeEffects): Promise<void> | undefined {
    if (this.#orphans !== undefined) return this.#orphans.then(() => this.#submit(effects));
    this.#submit(effects);
    return undefined;
  }

  #returned(): void {
    this.#isCalled = false;
    this.#callEnd?.resolve();
  }

  /** When its time is over the attempt has failed: what the function does then counts no more. */
  #limitTime({ nodeTimeoutMs: timeoutMs, name }: NodeDefinition, active: ActiveNode): void {
    if (timeoutMs === undefined) return;
    this.#limit = this.#services.port.after(timeoutMs, () => {
      const { agent } = this.#run;
      const error = new PartitaError("NODE_TIMEOUT", { agent, node: name, timeoutMs });
      this.halt(error, true);
      this.#submit(failureOf(this.#run, active, error));
    });
  }

  /** Calls the function, under the eyes of the watchdog until it first waits. */
  #watched(node: NodeDefinition, active: ActiveNode): NodeEffects | Promise<NodeEffects> {
    const { port } = this.#services;
    const { agent, node: name } = this.#run;
    port.entered(this.row.arrivalNo, agent, name);
    const running = runFunction(this.#run, node, active);
    port.left();
    return running;
  }

  /** Ends the row unrun, with an error that no other attempt would end without. */
  async refuse(error: unknown): Promise<void> {
    if (!this.#hasStarted) this.#begin(this.#services.fences.of(this.#run.invocationId));
    const recorded = await this.#recorded();
    if (recorded === undefined) return;
    const { node, nodeInvocationId, attempt } = this.#run;
    const failure = { node, nodeInvocationId: formatNodeId(nodeInvocationId), attempt };
    const bytes = encodeFailure(failure, error);
    const end = { kind: "failure", error: bytes, final: true } as const;
    this.#submit({ ...this.#nothing(), end, recorded });
  }

  /** Lets a function that may have run before replay that; returns why it cannot. */
  async #replay(active: ActiveNode): Promise<{ error: unknown } | undefined> {
    try {
      await replayEarlier(this.#services.port, active.journal);
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  /**
   * Where operations of earlier runs are recorded (U3); `undefined` when it cannot be known: the
   * runtime is closing, and the row waits for the next launch.
   */
  async #recorded(): Promise<readonly RecordedOperations[] | undefined> {
    if (!this.row.rerun) return [];
    try {
      return await recordedEarlier(this.#services.port, operationPrefix(this.#run));
    } catch (error) {
      if (PartitaError.is(error)) return undefined;
      throw error;
    }
  }

  #close(): void {
    this.#isOver = true;
    this.#limit?.cancel();
  }

  #nothing(): NodeEffects {
    const { attempt } = this.#run;
    const end = { kind: "plain" } as const;
    return { attempt, emits: [], end, carry: noBytes, trace: noBytes, recorded: [] };
  }

  #submit(effects: NodeEffects): void {
    if (this.#isOver) return;
    this.#close();
    this.#hasSubmitted = true;
    const { arrivalNo } = this.row;
    const { port, completed } = this.#services;
    port.submit((turn) => completed(turn, { arrivalNo, ...effects }));
  }

  #declared(): { agent: AgentDefinition; node: NodeDefinition } | PartitaError {
    try {
      return declaredNode(this.#services.agents, this.#run);
    } catch (error) {
      if (PartitaError.is(error)) return error;
      throw error;
    }
  }
}

function newCallEnd(): { readonly ended: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {};
  const ended = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { ended, resolve };
}

/**
 * The node of a run, which the topology may not have any more.
 * @throws PartitaError AGENT_UNKNOWN, NODE_UNKNOWN
 */
export function declaredNode(
  agents: ReadonlyMap<string, AgentDefinition>,
  run: RunMessage,
): { agent: AgentDefinition; node: NodeDefinition } {
  const agent = agents.get(run.agent);
  if (agent === undefined) {
    throw new PartitaError("AGENT_UNKNOWN", { agent: run.agent, known: [...agents.keys()] });
  }
  const node = agent.nodes.get(run.node);
  if (node === undefined) {
    const known = [...agent.nodes.keys()];
    throw new PartitaError("NODE_UNKNOWN", { agent: run.agent, node: run.node, known });
  }
  return { agent, node };
}
