// Client — how agents are invoked from outside: one client per agent, all of a thread over one
// port.
//
// Owns: checking and encoding inputs, choosing an invocation's home, beginning it. Leaves to
// others: what can be done with one that has begun (invocation-handle.ts), who waits for what
// (outcome-waiters.ts), lanes and threads (the port), what an invocation does (execution.ts).
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
import { type CallId, formatCallId, parseCallId } from "../../runtime/call-id.js";
import type { ProgramClientPort, ProgramEntry } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import { encodeDynamicKey } from "../../store/tuple-key.js";
import { encodeMetadata, type Metadata } from "../declare/metadata.js";
import { definitionOf } from "../declare/definition.js";
import { type CallerChain, encodeCarried } from "../wire/carried.js";
import {
  type InvocationId,
  invocationIdOfCall,
  newInvocationId,
  parseInvocationId,
  placementOfCall,
  randomPlacement,
} from "../wire/invocation-id.js";
import { encodeInitiate } from "../wire/message.js";
import { encodeMessage } from "../wire/wire-field.js";
import type { Invocation } from "./invocation.js";
import { InvocationHandle } from "./invocation-handle.js";
import { type AgentCalls, askOutcome, resultOf } from "./outcome-question.js";
import { type Answer, OutcomeWaiters } from "./outcome-waiters.js";
import { checkWaitOptions, type WaitOptions, waited } from "./waiting.js";

/** Options of calls that begin an invocation. */
export interface InvokeOptions extends WaitOptions {
  /**
   * Names the call: calls with the same id begin one invocation, over restarts too, and a later one
   * gets the first one's result, whether clients or nodes make them. A UUID of version 7:
   * `runtime.newId()`, or `callId(name, at)` for calls that have a name of their own. Remembered as
   * `KeyValueStore.once` says.
   */
  readonly id?: string;
  /** What is attached to the invocation: every node of it sees it as `ctx.metadata`. */
  readonly metadata?: Metadata;
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
   * One that a node begins is cancelled with that node (`Invocation.cancel`), as long as the node
   * has not ended.
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

/** What the library has of a client, beside what users have. */
export interface CalledAgentClient extends AgentClient<unknown, unknown> {
  /** `initiate` for a node of another topology, with the callers that have led to it. */
  initiateCalled(
    input: unknown,
    options: InvokeOptions,
    chain: CallerChain,
  ): Promise<Invocation<unknown>>;
}

/**
 * The clients of all agents of a topology, by name, on one thread. `waiters` are those of the port,
 * if it has some already: a port has one listener of each kind.
 */
export function createAgentClients(
  entries: ReadonlyMap<string, ProgramEntry>,
  port: ProgramClientPort,
  waiters: OutcomeWaiters = new OutcomeWaiters(port),
): ReadonlyMap<string, CalledAgentClient> {
  return new Map(
    Array.from(entries, ([name, entry]) => [
      name,
      new ProgramAgentClient({ agent: name, definition: definitionOf(entry), port, waiters }),
    ]),
  );
}

/** Nobody has called: the invocation is begun by a client. */
const uncalled: CallerChain = { callers: [], isCut: false };

class ProgramAgentClient implements CalledAgentClient {
  readonly #calls: AgentCalls;

  constructor(calls: AgentCalls) {
    this.#calls = calls;
  }

  async invoke(input: unknown, options: InvokeOptions = {}): Promise<unknown> {
    checkInvokeOptions("invoke", options);
    const call = this.#callOf("invoke", options);
    if (call !== undefined) return await this.#invokeOnce(input, call, options);
    const { id, home, message } = this.#begin(input, true, options);
    const waiter = this.#calls.waiters.open(id, home, options.signal);
    this.#calls.port.request(home, message).catch((error: unknown) => waiter.reject(error));
    return resultOf(this.#calls.agent, id, await waited(waiter.answer));
  }

  initiate(input: unknown, options: InvokeOptions = {}): Promise<Invocation<unknown>> {
    return this.initiateCalled(input, options, uncalled);
  }

  async initiateCalled(
    input: unknown,
    options: InvokeOptions,
    chain: CallerChain,
  ): Promise<Invocation<unknown>> {
    checkInvokeOptions("initiate", options);
    const call = this.#callOf("initiate", options);
    const { id, answer } = this.#start(input, call, options, chain);
    await waited(answer);
    return new InvocationHandle(this.#calls, id);
  }

  get(id: string): Invocation<unknown> {
    return new InvocationHandle(this.#calls, parseInvocationId(this.#calls.agent, id));
  }

  /** Begun once, asked for its result as often as it is called. */
  async #invokeOnce(input: unknown, call: CallId, options: InvokeOptions): Promise<unknown> {
    const { id, answer } = this.#start(input, call, options);
    await waited(answer);
    const outcome = await waited(askOutcome(this.#calls, id, options.signal));
    if (outcome.kind === "ended") return resultOf(this.#calls.agent, id, outcome);
    // It began, has ended since, and its record went with the oldest.
    const { callRetentionMs: retentionMs } = limits;
    throw new PartitaError("ID_EXPIRED", { id: formatCallId(call), retentionMs });
  }

  /** Sends the message that begins an invocation; resolves when it is durable. */
  #start(
    input: unknown,
    call: CallId | undefined,
    options: InvokeOptions,
    chain?: CallerChain,
  ): { readonly id: InvocationId; readonly answer: Promise<Answer> } {
    const { id, home, message } = this.#begin(input, false, options, call, chain);
    const waiter = this.#calls.waiters.open(id, home, options.signal);
    this.#calls.port.request(home, message, call).then(
      () => waiter.resolve({ kind: "begun" }),
      (error: unknown) => waiter.reject(error),
    );
    return { id, answer: waiter.answer };
  }

  #callOf(operation: string, { id }: InvokeOptions): CallId | undefined {
    if (id === undefined) return undefined;
    return parseCallId(`${operation} of agent "${this.#calls.agent}"`, id, this.#calls.port.now());
  }

  #begin(
    input: unknown,
    subscribe: boolean,
    { metadata }: InvokeOptions,
    call?: CallId,
    chain: CallerChain = uncalled,
  ): { id: InvocationId; home: number; message: Uint8Array } {
    const given = encodeMetadata(`invoke of agent "${this.#calls.agent}"`, metadata);
    const carried = encodeCarried({ ...chain, metadata: given });
    const where = `input of agent "${this.#calls.agent}"`;
    const { entry } = this.#calls.definition;
    const valid = entry.check(input, where);
    const key = entry.key === undefined ? undefined : encodeDynamicKey(entry.key(valid));
    const bytes = encodeMessage(valid, where);
    const placement = key === undefined ? this.#freePlacement(call) : hashKey(key);
    const id =
      call === undefined
        ? newInvocationId(placement, this.#calls.port)
        : invocationIdOfCall(placement, call);
    this.#calls.port.assertWritable();
    const message = encodeInitiate({
      kind: "initiate",
      agent: this.#calls.agent,
      invocationId: id,
      subscribe,
      carried,
      key,
      input: bytes,
    });
    return { id, home: this.#calls.port.ownerOf(placement), message };
  }

  #freePlacement(call: CallId | undefined): number {
    return call === undefined ? randomPlacement(this.#calls.port) : placementOfCall(call);
  }
}

/** @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN; or the signal's reason */
export function checkInvokeOptions(operation: string, options: InvokeOptions): void {
  checkWaitOptions(operation, options, ["signal", "id", "metadata"]);
}
