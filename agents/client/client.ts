// Client — how agents are invoked from outside: one client per agent, all of a thread over one
// port.
//
// Owns: checking and encoding inputs, choosing an invocation's home, turning outcomes into
// results and errors. Leaves to others: who waits for what (outcome-waiters.ts), lanes and
// threads (the port), what an invocation does (execution.ts).
//
// Invariants:
//   C1. What is wrong with an input or an option is refused before a message is sent; only whether
//       an input fits a row is for its home to say, which refuses it before it writes anything.
//   C2. Messages leave in the order of the calls: nothing is awaited before they are sent. Since
//       the home of a keyed agent's invocation is the owner of its key, one client's invocations
//       for one key arrive in the order of the calls.
//   C3. Errors are thrown from the async function that the user awaits: the stack names his line.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { checkOptionNames, optionInvalid } from "../../base/options.js";
import { type CallId, formatCallId, parseCallId } from "../../runtime/call-id.js";
import type { ProgramClientPort, ProgramEntry } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import { validate } from "../../store/schema.js";
import { encodeDynamicKey } from "../../store/tuple-key.js";
import { type AgentDefinition, definitionOf } from "../declare/definition.js";
import { decodeFailure, errorOf, failureDetails } from "../wire/failure.js";
import {
  formatInvocationId,
  type InvocationId,
  invocationIdOfCall,
  newInvocationId,
  parseInvocationId,
  placementOf,
  placementOfCall,
  randomPlacement,
} from "../wire/invocation-id.js";
import { encodeAwait, encodeInitiate } from "../wire/message.js";
import { decodeReply, type FailedOutcome } from "../wire/outcome.js";
import { type Answer, OutcomeWaiters } from "./outcome-waiters.js";
import { decodeMessage, encodeMessage } from "../wire/wire-field.js";

/** Options of everything that waits. */
export interface WaitOptions {
  /** Aborting rejects with `signal.reason` and ends the waiting, nothing else. */
  readonly signal?: AbortSignal;
}

/** Options of calls that begin an invocation. */
export interface InvokeOptions extends WaitOptions {
  /**
   * Names the call: calls with the same id begin one invocation, over restarts too, and a later one
   * gets the first one's result. A UUID of version 7: `runtime.newId()`, or `callId(name, at)` for
   * calls that have a name of their own. Remembered as `KeyValueStore.once` says.
   */
  readonly id?: string;
}

/** Calls one agent of a launched topology. */
export interface AgentClient<Input, Result> {
  /**
   * Runs the agent once and resolves with its result. Calls of one client for one key of a keyed
   * entry node take effect in the order of the calls, awaited or not.
   *
   * @throws PartitaError SCHEMA_INVALID, KEY_INVALID, VALUE_UNSUPPORTED and other refusals of the
   *   input
   * @throws PartitaError INVOCATION_FAILED when it fails; `cause` is the last error of a node
   * @throws PartitaError TASK_EXITED when the thread of its home task died: the outcome is unknown
   * @throws PartitaError MAILBOX_FULL, DISK_LOW, CLOSED
   * @throws PartitaError ID_INVALID, ID_REUSED (for another input or agent), ID_EXPIRED
   */
  invoke(input: Input, options?: InvokeOptions): Promise<Result>;

  /**
   * Begins an invocation and resolves when it is durable: it will run to its end, over restarts.
   * @throws PartitaError as `invoke`, but for INVOCATION_FAILED
   */
  initiate(input: Input, options?: InvokeOptions): Promise<Invocation<Result>>;

  /**
   * The invocation of an id, before a restart or from another client. Whether there is one shows
   * when it is asked for its result.
   * @throws PartitaError INVOCATION_UNKNOWN when the text is no id
   */
  get(id: string): Invocation<Result>;
}

/** One run of an agent. */
export interface Invocation<Result> {
  /** `pppppppp-tttttttttttt-rrrrrrrrrrrr`; `AgentClient.get` takes it. */
  readonly id: string;

  /**
   * Resolves with the result as soon as there is one; any number of times, while its record is kept
   * (`limits.invocationsRetainedMax` of each agent and task, pending ones in any case).
   *
   * @throws PartitaError INVOCATION_FAILED when it failed
   * @throws PartitaError INVOCATION_UNKNOWN when this agent has no such invocation, or forgot it
   * @throws PartitaError TASK_EXITED, MAILBOX_FULL, CLOSED: asking again is safe
   */
  result(options?: WaitOptions): Promise<Result>;
}

/**
 * The clients of all agents of a topology, by name, on one thread. `waiters` are those of the port,
 * if it has some already: a port has one listener of each kind.
 */
export function createAgentClients(
  entries: ReadonlyMap<string, ProgramEntry>,
  port: ProgramClientPort,
  waiters: OutcomeWaiters = new OutcomeWaiters(port),
): ReadonlyMap<string, AgentClient<unknown, unknown>> {
  return new Map(
    Array.from(entries, ([name, entry]) => [
      name,
      new ProgramAgentClient(name, definitionOf(entry), port, waiters),
    ]),
  );
}

class ProgramAgentClient implements AgentClient<unknown, unknown> {
  readonly #agent: string;
  readonly #definition: AgentDefinition;
  readonly #port: ProgramClientPort;
  readonly #waiters: OutcomeWaiters;

  constructor(
    agent: string,
    definition: AgentDefinition,
    port: ProgramClientPort,
    waiters: OutcomeWaiters,
  ) {
    this.#agent = agent;
    this.#definition = definition;
    this.#port = port;
    this.#waiters = waiters;
  }

  async invoke(input: unknown, options: InvokeOptions = {}): Promise<unknown> {
    checkInvokeOptions("invoke", options);
    const call = this.#callOf("invoke", options);
    if (call !== undefined) return await this.#invokeOnce(input, call, options.signal);
    const { id, home, message } = this.#begin(input, true);
    const waiter = this.#waiters.open(id, home, options.signal);
    this.#port.request(home, message).catch((error: unknown) => waiter.reject(error));
    return this.#resultOf(id, await waited(waiter.answer));
  }

  async initiate(input: unknown, options: InvokeOptions = {}): Promise<Invocation<unknown>> {
    checkInvokeOptions("initiate", options);
    const call = this.#callOf("initiate", options);
    const { id, answer } = this.#start(input, call, options.signal);
    await waited(answer);
    return this.#invocation(id);
  }

  get(id: string): Invocation<unknown> {
    return this.#invocation(parseInvocationId(this.#agent, id));
  }

  #invocation(id: InvocationId): Invocation<unknown> {
    return Object.freeze({
      id: formatInvocationId(id),
      result: (options?: WaitOptions) => this.#result(id, options),
    });
  }

  /** Begun once, asked for its result as often as it is called. */
  async #invokeOnce(
    input: unknown,
    call: CallId,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const { id, answer } = this.#start(input, call, signal);
    await waited(answer);
    const outcome = await waited(this.#ask(id, signal));
    if (outcome.kind === "ended") return this.#resultOf(id, outcome);
    // It began, has ended since, and its record went with the oldest.
    const { callRetentionMs: retentionMs } = limits;
    throw new PartitaError("ID_EXPIRED", { id: formatCallId(call), retentionMs });
  }

  async #result(id: InvocationId, options: WaitOptions = {}): Promise<unknown> {
    checkWaitOptions("result", options);
    return this.#resultOf(id, await waited(this.#ask(id, options.signal)));
  }

  /** Sends the message that begins an invocation; resolves when it is durable. */
  #start(
    input: unknown,
    call: CallId | undefined,
    signal: AbortSignal | undefined,
  ): { readonly id: InvocationId; readonly answer: Promise<Answer> } {
    const { id, home, message } = this.#begin(input, false, call);
    const waiter = this.#waiters.open(id, home, signal);
    this.#port.request(home, message, call).then(
      () => waiter.resolve({ kind: "begun" }),
      (error: unknown) => waiter.reject(error),
    );
    return { id, answer: waiter.answer };
  }

  /** Asks the home task how an invocation stands; resolves when it has ended. */
  #ask(id: InvocationId, signal: AbortSignal | undefined): Promise<Answer> {
    const home = this.#port.ownerOf(placementOf(id));
    const waiter = this.#waiters.open(id, home, signal);
    const message = encodeAwait({ kind: "await", agent: this.#agent, invocationId: id });
    this.#port.request(home, message).then(
      (bytes) => {
        const reply = decodeReply(bytes);
        if (reply.kind !== "pending") waiter.resolve(reply);
      },
      (error: unknown) => waiter.reject(error),
    );
    return waiter.answer;
  }

  #callOf(operation: string, { id }: InvokeOptions): CallId | undefined {
    if (id === undefined) return undefined;
    return parseCallId(`${operation} of agent "${this.#agent}"`, id, this.#port.now());
  }

  #begin(
    input: unknown,
    subscribe: boolean,
    call?: CallId,
  ): { id: InvocationId; home: number; message: Uint8Array } {
    const where = `input of agent "${this.#agent}"`;
    const { entry } = this.#definition;
    const valid = validate(entry.input, input, where);
    const key = entry.key === undefined ? undefined : encodeDynamicKey(entry.key(valid));
    const bytes = encodeMessage(valid, where);
    const placement = key === undefined ? this.#freePlacement(call) : hashKey(key);
    const id =
      call === undefined
        ? newInvocationId(placement, this.#port)
        : invocationIdOfCall(placement, call);
    this.#port.assertWritable();
    const message = encodeInitiate({
      kind: "initiate",
      agent: this.#agent,
      invocationId: id,
      subscribe,
      key,
      input: bytes,
    });
    return { id, home: this.#port.ownerOf(placement), message };
  }

  #freePlacement(call: CallId | undefined): number {
    return call === undefined ? randomPlacement(this.#port) : placementOfCall(call);
  }

  #resultOf(id: InvocationId, answer: Answer): unknown {
    const agent = this.#agent;
    const invocationId = formatInvocationId(id);
    if (answer.kind !== "ended") {
      throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId });
    }
    const { outcome } = answer;
    if (outcome.kind === "result") return decodeMessage(outcome.value);
    throw failed(agent, invocationId, outcome);
  }
}

/**
 * What is waited for; the runtime's errors are made anew, so that their stack names who waits (C3).
 * Reasons of signals and errors of users go through as they are.
 */
export async function waited<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    const { code, details, message, cause } = error;
    throw new PartitaError(code, details, cause === undefined ? { message } : { message, cause });
  }
}

function failed(agent: string, invocationId: string, outcome: FailedOutcome): PartitaError {
  const { reason, failuresThen } = outcome;
  const failures = outcome.failures.map(decodeFailure);
  const last = failures[failuresThen - 1];
  const details = { agent, invocationId, reason, failures: failures.map(failureDetails) };
  return new PartitaError(
    "INVOCATION_FAILED",
    details,
    last === undefined ? {} : { cause: errorOf(last) },
  );
}

function checkInvokeOptions(operation: string, options: InvokeOptions): void {
  checkWaitOptions(operation, options, ["signal", "id"]);
}

/** @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN; or the signal's reason */
export function checkWaitOptions(
  operation: string,
  options: WaitOptions,
  known: readonly string[] = ["signal"],
): void {
  checkOptionNames(operation, options, known);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw optionInvalid(operation, "signal", signal, "an AbortSignal");
  }
  signal?.throwIfAborted();
}
