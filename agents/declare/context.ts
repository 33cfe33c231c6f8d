// Context — what a node function is given beside its message: the whole world it may touch.
//
// Owns: the contract that users read. Leaves to others: what stands behind it (active-node.ts),
// types that follow from the agent's shape (shape.ts).

import type { OperationType } from "../wire/node-trace.js";
import type { Metadata } from "./metadata.js";
import type { Schema } from "../../store/schema.js";
import type {
  AgentShape,
  AgentsOf,
  ComputeOf,
  EmitTarget,
  EmittedTo,
  GivenResultOf,
  ObjectsOf,
  StoresOf,
} from "./shape.js";

/**
 * The context of one node invocation. `emit` and `result` take effect when the function has
 * returned and its operations have finished; when it throws, nothing of them does. Store
 * operations take effect at once, and a later throw does not undo them. After the function has
 * returned every method that does something refuses with NODE_FINISHED.
 *
 * A function that a crash has cut off is run again, from its start. Its store operations are
 * numbered: one that took effect before is not applied again but answered as it was then, reads
 * before it included, as long as the function does the same things in the same order (`now`,
 * `random`, `run` and `stores` of this context are repeatable; scans with `entries`, and reads of
 * more than `limits.operationReadBytesMax` bytes between two writes, are read anew). An operation
 * that differs from the one before at its place is applied as a new one.
 */
export interface NodeContext<A extends AgentShape, Target extends string> {
  /**
   * The agent's stores. An operation that is still under way when the function returns is waited
   * for before the node counts as finished; if it then fails, so does the node.
   */
  readonly stores: StoresOf<A>;

  /**
   * The agent's compute functions: they run in the compute pool, not on this thread, and stop when
   * `signal` aborts. Arguments and results are carried like values.
   */
  readonly compute: ComputeOf<A>;

  /** Clients of the agents that the agent names. */
  readonly agents: AgentsOf<A>;

  /**
   * The agent's objects: `await ctx.objects.mailer()`. One of a pool belongs to this node
   * invocation until it has ended, failed or not; asking again gives the same one.
   */
  readonly objects: ObjectsOf<A>;

  /**
   * Sends a message to a node, which starts after this function has returned. The message is
   * checked and encoded at once: later changes to it do not matter. Messages to one task are
   * processed in the order of the emits; across tasks there is no order.
   *
   * @throws PartitaError EMIT_UNDECLARED when this node does not list the target in `to`
   * @throws PartitaError EMIT_AFTER_RESULT when this node invocation has given a result
   * @throws PartitaError SCHEMA_INVALID, KEY_INVALID, VALUE_UNSUPPORTED and other refusals of
   *   values
   * @throws PartitaError MESSAGE_TOO_LARGE when its emits take more than `limits.messageBytesMax`
   *   in all
   * @throws PartitaError OPTION_INVALID when there are more than `limits.emitsMax` of them
   */
  emit<T extends Target>(target: EmitTarget<T>, message: EmittedTo<A, T>): void;

  /**
   * Gives the result of the invocation; `null` and `undefined` are results too. The first result
   * that reaches the home task wins; later ones are dropped, and nothing else is stopped.
   *
   * @throws PartitaError RESULT_AFTER_EMIT when this node invocation has emitted
   * @throws PartitaError RESULT_TWICE when it has given a result before
   * @throws PartitaError SCHEMA_INVALID, VALUE_UNSUPPORTED and other refusals of values
   */
  result(value: GivenResultOf<A>): void;

  /**
   * Aborts when the runtime is closed by force. What the function does after that no longer counts:
   * its message is kept and the function runs again, from its start, at the next launch.
   */
  readonly signal: AbortSignal;

  /** The invocation, as its client knows it. */
  readonly invocationId: string;

  /** What the invocation was begun with (`InvokeOptions.metadata`), whatever was changed since. */
  readonly metadata: Metadata;

  /**
   * This run's place in the invocation: sixteen hex digits, the same when it has to be run again.
   */
  readonly nodeInvocationId: string;

  /**
   * The attempt of the invocation that this run belongs to: 0 for the first, one more with each
   * retry. A run after a crash belongs to the same attempt.
   */
  readonly attempt: number;

  /**
   * Runs `fn` once and records its outcome durably before it resolves, so that a run of this node
   * after a crash gets the outcome instead of running `fn` again. For effects outside of Partita:
   * a mail, an HTTP request. What `fn` returns is carried like a value; what it throws rejects the
   * call and is not recorded, so a later run tries again. A crash between the effect and its record
   * runs `fn` again: pass `idempotencyKey` on to systems that take one.
   *
   *     const receipt = await ctx.run("charge", () => charge(order, ctx.idempotencyKey));
   *
   * @throws PartitaError OPTION_INVALID for a name that is empty or longer than
   *   `limits.runNameBytesMax` bytes, VALUE_* for an outcome that cannot be carried,
   *   MESSAGE_TOO_LARGE
   */
  run<T>(name: string, fn: () => T | Promise<T>): Promise<T>;

  /**
   * Streams a value to whoever follows this node (`Invocation.stream`), while the function runs.
   * Chunks are kept with the invocation: who follows later gets them too, and all of them are
   * durable before this node invocation counts as finished. A later throw does not take them back;
   * the next run begins the list anew.
   *
   * The value is encoded at once. Resolves when there is room for another: at once, unless
   * `limits.chunksUnacknowledgedMax` chunks are on their way. None is ever dropped.
   *
   * @throws PartitaError VALUE_UNSUPPORTED and other refusals of values, MESSAGE_TOO_LARGE
   * @throws PartitaError INVOCATION_RETRIED when another attempt has begun: this run is void
   */
  chunk(value: unknown): Promise<void>;

  /**
   * Asks a human and resolves with the answer, however long that takes: over restarts, without
   * holding a thread, a place among running functions, or, when very many wait, memory: the
   * function may then be given up and run again, from its start, when the answer is there (what it
   * has done is not repeated, as after a crash; what it waits for beside `ctx` is begun anew). The
   * question is seen with `humanInputs` and `nextStep` of the invocation, and answered with
   * `answer`. With a schema an answer that does not fit is refused, and the question stays open.
   *
   * One question of a node invocation is open at a time: the next is asked when it is answered. A
   * retry of the invocation asks again. Whoever has returned does not ask any more.
   *
   *     const ok = await ctx.askHuman(`Pay ${order.cents} to ${order.to}?`, z.boolean());
   *
   * @throws PartitaError VALUE_UNSUPPORTED and other refusals of a prompt, MESSAGE_TOO_LARGE
   */
  askHuman<T = unknown>(prompt: unknown, schema?: Schema<T, unknown>): Promise<T>;

  /**
   * Resolves `ms` milliseconds after it was called for the first time, over restarts: 0 to
   * `limits.sleepMsMax`. Waits like `askHuman`.
   * @throws PartitaError OPTION_INVALID
   */
  sleep(ms: number): Promise<void>;

  /**
   * Adds a nested operation to the invocation's trace (`Invocation.trace`), beside those that are
   * there by themselves: store operations, compute functions, `run`. Times are milliseconds since
   * the epoch; `info` is carried like a value. Beyond `limits.nodeTraceBytesMax` bytes for one run
   * of this node, operations are only counted.
   *
   *     ctx.recordOperation("model-call", start, Date.now(), { model, tokens });
   *
   * @throws PartitaError OPTION_INVALID for a type that there is not, or a time that is none;
   *   VALUE_UNSUPPORTED and other refusals of values, MESSAGE_TOO_LARGE
   */
  recordOperation(type: OperationType, startedAt: number, finishedAt: number, info: unknown): void;

  /**
   * Names this node invocation: the same text in every run of it, and in no other invocation. For
   * outside systems that take an idempotency key.
   */
  readonly idempotencyKey: string;

  /** Milliseconds since the epoch, whole; a run after a crash gets what this one got. */
  now(): number;

  /** Uniform in [0, 1); every run of this node invocation draws the same numbers. */
  random(): number;
}
