// Active node — one run of a node function, and what it has asked for so far.
//
// Owns: the buffer of emits and result, the rules between them, the operations under way. Leaves
// to others: the context through which the function asks (active-context.ts), which run comes when
// (node-runner.ts), what its effects do once it has returned (execution.ts).
//
// Invariants:
//   V1. Emits and results are checked and encoded when they are given: what is changed later in a
//       message has no effect, and a refused one leaves the earlier effects as they were.
//   V2. `effects` is asked for after `finish` has resolved: nothing can be added then.
//   V3. No rejection of an operation is ever unhandled, whether the function awaits it or not.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { optionInvalid } from "../../base/options.js";
import { OperationJournal } from "../../runtime/operation-journal.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { validate } from "../../store/schema.js";
import { encodeDynamicKey } from "../../store/tuple-key.js";
import type { AgentDefinition, NodeDefinition } from "../declare/definition.js";
import type { AnySchema } from "../declare/node-definition.js";
import { operationPrefix } from "../wire/invocation-id.js";
import type { NodeEnd } from "../wire/ack.js";
import type { Emit, RunMessage } from "../wire/message.js";
import { assertFits, type MessageBounds } from "../wire/message-bounds.js";
import { ActiveContext } from "./active-context.js";
import { recordedIn } from "./earlier-runs.js";
import { type ChunkSender, chunkSender } from "./chunk-sender.js";
import { operationOf, type Traced, TraceRecorder } from "./trace-recorder.js";
import type { NodeOperations } from "./node-store.js";
import type { RunPlace } from "./node-clients.js";
import { SubAgentClient } from "./sub-agents.js";
import type { NodeEffects } from "./node-effects.js";
import { recordedNow } from "./node-clock.js";
import { type FollowedChild, NodeLooks } from "./node-looks.js";
import { NodeWaits } from "./node-waits.js";
import { notedRun } from "./noted-run.js";
import type { RecordedOperations } from "../wire/recorded-operations.js";
import { encodeMessage, noBytes } from "../wire/wire-field.js";

/** What surrounds an emitted message in its row, keys aside. */
const emitOverheadBytes = 128;

export class ActiveNode implements NodeOperations {
  readonly #run: RunMessage;
  readonly #definition: AgentDefinition;
  readonly #node: NodeDefinition;
  readonly #port: TaskPort;
  readonly #bounds: MessageBounds;
  #journal: OperationJournal | undefined;
  readonly trace: TraceRecorder;
  readonly #emits: Emit[] = [];
  #chunks: ChunkSender | undefined;
  #emittedBytes = 0;
  #result: Uint8Array | undefined;
  #carry = noBytes;
  #returned = false;
  #underWay: Set<Promise<unknown>> | undefined;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  /** Why what writes is refused. */
  #refusal: { readonly reason: unknown } | undefined;
  readonly #place: RunPlace;
  #waits: NodeWaits | undefined;
  #looks: NodeLooks | undefined;
  /** Set when the run was given up: it is told when the function goes on. */
  #stirred: (() => void) | undefined;

  constructor(
    run: RunMessage,
    definition: AgentDefinition,
    node: NodeDefinition,
    port: TaskPort,
    bounds: MessageBounds,
    place: RunPlace,
  ) {
    this.#place = place;
    this.#run = run;
    this.#definition = definition;
    this.#node = node;
    this.#port = port;
    this.#bounds = bounds;
    this.trace = new TraceRecorder(port);
  }

  /** What the node function is given. */
  context(): object {
    const { clients } = this.#place;
    const inputBytesMax = this.#bounds.messageBytesMax;
    const agentIn = (own: string, agent: string): SubAgentClient =>
      new SubAgentClient(this, this.#run, own, clients.calls(agent), inputBytesMax);
    return new ActiveContext(this, this.#run, this.#definition, this.#port, agentIn);
  }

  emit(target: string, message: unknown): void {
    const { agent, node } = this.#run;
    this.#assertActive("emit");
    const { targets } = this.#node;
    const next = targets.includes(target) ? this.#definition.nodes.get(target) : undefined;
    if (next === undefined) {
      throw new PartitaError("EMIT_UNDECLARED", { agent, node, target, declared: targets });
    }
    if (this.#result !== undefined) {
      throw new PartitaError("EMIT_AFTER_RESULT", { agent, node, target });
    }
    const where = `emit from node "${node}" to "${target}"`;
    if (this.#emits.length >= limits.emitsMax) {
      const valid = `at most ${limits.emitsMax} for one node invocation`;
      throw optionInvalid(where, "emits", limits.emitsMax + 1, valid);
    }
    const valid = next.check(message, where);
    const key = next.key === undefined ? undefined : encodeDynamicKey(next.key(valid));
    const bytes = encodeMessage(valid, where);
    // A row for each: what surrounds a message counts too.
    const messageBytes = this.#emittedBytes + bytes.length + (key?.length ?? 0) + emitOverheadBytes;
    assertFits(where, messageBytes, this.#bounds.messageBytesMax + emitOverheadBytes);
    this.#emittedBytes = messageBytes;
    this.#emits.push({ node: target, key, message: bytes });
  }

  result(value: unknown): void {
    const { agent, node } = this.#run;
    this.#assertActive("result");
    if (this.#emits.length > 0) throw new PartitaError("RESULT_AFTER_EMIT", { agent, node });
    if (this.#result !== undefined) throw new PartitaError("RESULT_TWICE", { agent, node });
    const where = `result of agent "${agent}" from node "${node}"`;
    const bytes = encodeMessage(validate(this.#definition.result, value, where), where);
    assertFits(where, bytes.length, this.#bounds.resultBytesMax);
    this.#result = bytes;
  }

  operation<T>(name: string, begin: () => Promise<T>, traced?: Traced): Promise<T> {
    if (this.#returned) return this.#refused(name);
    if (this.#stirred !== undefined) return this.#goesOnForgotten();
    const outcome: Promise<T> = this.#perform(begin, () => outcome, traced);
    this.#underWay ??= new Set();
    this.#underWay.add(outcome);
    this.#changed();
    return outcome;
  }

  /** The same for one that only looks at another invocation: the run has no place meanwhile. */
  look<T>(name: string, begin: () => Promise<T>, traced?: Traced): Promise<T> {
    return this.operation(name, () => this.looks.ask(begin), traced);
  }

  /**
   * The same for an operation that waits: the function may return without it, and may be given up
   * while it does nothing else.
   */
  waiting<T>(name: string, begin: (waits: NodeWaits) => Promise<T>, traced?: Traced): Promise<T> {
    if (this.#returned) return this.#refused(name);
    if (this.#stirred !== undefined) return this.#goesOnForgotten();
    const waits = this.#waits ?? this.#newWaits();
    const outcome: Promise<T> = this.#perform(
      () => {
        this.assertWrites();
        return begin(waits);
      },
      () => outcome,
      traced,
    );
    return outcome;
  }

  /** Made when the first operation asks for it: many nodes have none. */
  get journal(): OperationJournal {
    this.#journal ??= new OperationJournal(operationPrefix(this.#run));
    return this.#journal;
  }

  get waits(): NodeWaits | undefined {
    return this.#waits;
  }

  /** Whether all that the function does is to wait for what is on record. */
  get isResting(): boolean {
    const isBusy = this.#returned || (this.#underWay?.size ?? 0) > 0;
    return !isBusy && this.#waits?.isResting === true;
  }

  get looks(): NodeLooks {
    const mayBlock = this.#run.key !== undefined || this.#run.carried.length > 0;
    this.#looks ??= new NodeLooks({ port: this.#port, mayBlock, ...this.#place });
    return this.#looks;
  }

  /** What it waits for by following it. */
  get awaited(): readonly FollowedChild[] {
    return this.#looks?.awaited ?? [];
  }

  /** Whether all that it does, beside what it waits for, is to look at other invocations. */
  get isLooking(): boolean {
    if (this.#returned || this.#looks?.any !== true) return false;
    return (this.#underWay?.size ?? 0) <= this.#looks.asking;
  }

  /** See `NodeRun.forget`. */
  forget(stirred: () => void): void {
    this.#stirred = stirred;
  }

  /** See `NodeContext.run`. */
  run(name: string, fn: () => unknown): Promise<unknown> {
    return this.operation(
      `run("${name}")`,
      () => notedRun(this, this.#port, this.#run.node, this.#bounds.resultBytesMax, name, fn),
      { type: "other", about: { run: String(name) }, arguments: [] },
    );
  }

  /** See `NodeContext.recordOperation`. */
  recordOperation(type: unknown, startedAt: unknown, finishedAt: unknown, info: unknown): void {
    this.#assertActive("recordOperation");
    const where = `recordOperation in node "${this.#run.node}"`;
    this.trace.add(operationOf(where, { type, startedAt, finishedAt, info }));
  }

  /** See `NodeContext.chunk`. */
  chunk(value: unknown): Promise<void> {
    return this.operation("chunk", () => {
      const where = `chunk of node "${this.#run.node}"`;
      const bytes = encodeMessage(value, where);
      assertFits(where, bytes.length, this.#bounds.messageBytesMax);
      this.assertWrites();
      this.#chunks ??= chunkSender(this.#port, this.#run);
      return this.#chunks.add(bytes);
    });
  }

  /** See `NodeContext.now`. */
  now(): number {
    const now = (): number => this.#port.now();
    return this.#returned ? now() : recordedNow(this.journal, now);
  }

  /** Aborted when the run is to stop, or counts no more; made when it is asked for. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#aborted !== undefined;
  }

  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
    this.#waits?.abort(reason);
  }

  /** From now on what writes is refused with `reason`; reads still work. */
  refuseWrites(reason: unknown): void {
    this.#refusal ??= { reason };
  }

  assertWrites(): void {
    if (this.#refusal !== undefined) throw this.#refusal.reason;
  }

  /**
   * The function has returned: from now on its context refuses. Resolves when no operation is under
   * way any more, and objects are given back; rejects with the first error among those that were.
   * `undefined`: that is so already.
   */
  finish(): Promise<void> | undefined {
    this.#returned = true;
    this.#stirred?.();
    const sent = this.#waits?.finish();
    const underWay = this.#underWay?.size ? this.#underWay : undefined;
    if (sent === undefined && underWay === undefined && this.#chunks === undefined) {
      this.#port.objects.release(this);
      return undefined;
    }
    sent?.catch(ignore);
    return this.#drained(sent, underWay ?? []);
  }

  async #drained(
    sent: Promise<void> | undefined,
    underWay: Iterable<Promise<unknown>>,
  ): Promise<void> {
    const outcomes = await Promise.allSettled(underWay);
    this.#port.objects.release(this);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    await sent;
    await this.#chunks?.drained();
  }

  /**
   * What a scatter's function has returned.
   * @throws PartitaError SCHEMA_INVALID, VALUE_UNSUPPORTED, MESSAGE_TOO_LARGE
   */
  carry(value: unknown, schema: AnySchema): void {
    const where = `what scatter "${this.#node.name}" has returned`;
    const bytes = encodeMessage(validate(schema, value, where), where);
    assertFits(where, this.#emittedBytes + bytes.length, this.#bounds.messageBytesMax);
    this.#carry = bytes;
  }

  /** What takes effect (V2). */
  effects(): NodeEffects {
    if (this.#result === undefined) return this.#ended({ kind: "plain" }, this.#emits);
    return this.#ended({ kind: "result", value: this.#result }, []);
  }

  /** What takes effect when the function has thrown: only how it ended. */
  failed(error: Uint8Array): NodeEffects {
    return this.#ended({ kind: "failure", error, final: false }, []);
  }

  /** Where operations of this run, and of those before it, may be recorded. */
  recorded(): readonly RecordedOperations[] {
    return this.#journal === undefined ? [] : recordedIn(this.#journal);
  }

  /**
   * Awaits one operation. V8 follows a promise back to the user's line only while the user alone
   * waits for it, so the handler that keeps a rejection from being unhandled (V3) is added no
   * earlier than in the `catch`, when the error has its stack.
   */
  async #perform<T>(
    begin: () => Promise<T>,
    own: () => Promise<T>,
    traced: Traced | undefined,
  ): Promise<T> {
    const startedMs = traced === undefined ? 0 : this.trace.now();
    try {
      const outcome = await begin();
      if (traced !== undefined) this.trace.ended(traced, startedMs, { value: outcome });
      this.#port.goesOn(this.#run.agent, this.#run.node);
      return outcome;
    } catch (error) {
      // A `begin` that throws at once is caught before the caller has the promise that `own`
      // returns.
      await undefined;
      own().catch(ignore);
      if (traced !== undefined) this.trace.ended(traced, startedMs, { error });
      this.#port.goesOn(this.#run.agent, this.#run.node);
      throw error;
    } finally {
      this.#underWay?.delete(own());
      this.#changed();
    }
  }

  #changed(): void {
    if (this.#waits !== undefined || this.#looks !== undefined) this.#place.changed();
  }

  #newWaits(): NodeWaits {
    const { journal } = this;
    const parts = { run: this.#run, port: this.#port, journal, bounds: this.#bounds };
    const waits = new NodeWaits({ ...parts, ...this.#place });
    if (this.#aborted !== undefined) waits.abort(this.#aborted.reason);
    this.#waits = waits;
    return waits;
  }

  #refused(name: string): Promise<never> {
    const refused = Promise.reject(this.#finished(name));
    refused.catch(ignore);
    return refused;
  }

  /** Another run takes this one's place: this one is let go on no further. */
  #goesOnForgotten(): Promise<never> {
    this.#stirred?.();
    return new Promise(() => {});
  }

  #ended(end: NodeEnd, emits: readonly Emit[]): NodeEffects {
    const { attempt } = this.#run;
    return {
      attempt,
      emits,
      end,
      carry: this.#carry,
      trace: this.trace.finish(),
      recorded: this.recorded(),
    };
  }

  #assertActive(operation: string): void {
    if (this.#returned) throw this.#finished(operation);
  }

  #finished(operation: string): PartitaError<"NODE_FINISHED"> {
    const { agent, node } = this.#run;
    return new PartitaError("NODE_FINISHED", { agent, node, operation });
  }
}

function ignore(): void {}
