// Sub-agents — `ctx.agents`: the clients of agents inside of nodes.
//
// Beginning an invocation, waiting for it, driving it by steps and answering it are waits of the
// node: journaled, so that a node that is run again finds its child instead of beginning another.
// Owns: which child that is, and the client's contract inside of nodes. Leaves to others: waits
// (node-waits.ts), what only looks (client/invocation-handle.ts).
//
// Invariants:
//   B1. The id of a child follows from the node invocation, the place of the call in its journal,
//       the agent and the input, and from the attempt in which it was begun: every run that does
//       the same has the same child.
//   B2. A later attempt goes on with the child of an earlier one, unless an attempt before was
//       told, by a result or a step, that it had failed: then it begins another.
//   B3. A child under an id that was given to it is what the call of that id has begun, whoever has
//       made it: a node hears whether it has begun, before it goes on.

import { type CallId, parseCallId } from "../../runtime/call-id.js";
import { checksum } from "../../store/checksum.js";
import { hashKey } from "../../store/key-hash.js";
import { encodeDynamicKey } from "../../store/tuple-key.js";
import { type AgentClient, checkInvokeOptions, type InvokeOptions } from "../client/client.js";
import { checkForkOptions, type ForkChanges, type ForkOptions } from "../client/fork-client.js";
import type { HumanQuestion, Invocation, NextStep } from "../client/invocation.js";
import { InvocationHandle, stepOf } from "../client/invocation-handle.js";
import type { AgentCalls } from "../client/outcome-question.js";
import type { ChunkStream } from "../client/stream.js";
import { answerOf, questionOf } from "../client/questions.js";
import { checkWaitOptions, unlessAborted, type WaitOptions } from "../client/waiting.js";
import { encodeMetadata, type Metadata, type MetadataChanges } from "../declare/metadata.js";
import {
  type InvocationId,
  invocationIdOfCall,
  invocationIdOfNode,
  operationPrefix,
  parseInvocationId,
  placementOfCall,
} from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { assertFits } from "../wire/message-bounds.js";
import { readInAttempt } from "../wire/question-list.js";
import { refusalOf } from "../wire/refusal-bytes.js";
import type { Beginning, Belonging } from "../wire/wait-fields.js";
import { encodeMessage } from "../wire/wire-field.js";
import type { ActiveNode } from "./active-node.js";
import { assertBegun, failedBefore, resultIn } from "./child-outcome.js";
import type { Traced } from "./trace-recorder.js";
import type { NameWriter, NodeWaits, WaitPlaces } from "./node-waits.js";
import { forkOnce } from "./sub-forks.js";

const names = { invoke: 8, initiate: 9, result: 10, step: 11, receipt: 12 } as const;

/** A child as a node begins it. */
interface Child {
  readonly id: InvocationId;
  readonly places: WaitPlaces;
  readonly belongs: Belonging;
  readonly beginning: Beginning;
}

export class SubAgentClient implements AgentClient<unknown, unknown> {
  readonly #active: ActiveNode;
  readonly #run: RunMessage;
  readonly #own: string;
  readonly #calls: AgentCalls;
  readonly #inputBytesMax: number;

  /** `own`: what the calling agent calls it. */
  constructor(
    active: ActiveNode,
    run: RunMessage,
    own: string,
    calls: AgentCalls,
    inputBytesMax: number,
  ) {
    this.#active = active;
    this.#run = run;
    this.#own = own;
    this.#calls = calls;
    this.#inputBytesMax = inputBytesMax;
  }

  invoke(input: unknown, options: InvokeOptions = {}): Promise<unknown> {
    return this.#active.waiting(
      `agents.${this.#own}.invoke`,
      async (waits) => {
        checkInvokeOptions("invoke", options);
        const { agent } = this.#calls;
        const { id, places, ...begun } = this.#begin(waits, names.invoke, input, options);
        const wanted = { kind: "result", agent, child: id, ...begun } as const;
        const outcome = await unlessAborted(waits.outcome(places, wanted), options);
        return resultIn(agent, id, outcome);
      },
      agentCall(this.#own, "invoke", [input]),
    );
  }

  initiate(input: unknown, options: InvokeOptions = {}): Promise<Invocation<unknown>> {
    return this.#active.waiting(
      `agents.${this.#own}.initiate`,
      async (waits) => {
        checkInvokeOptions("initiate", options);
        const { agent } = this.#calls;
        const { id, places, ...begun } = this.#begin(waits, names.initiate, input, options);
        const isNamed = options.id !== undefined;
        if (isNamed) {
          const wanted = { kind: "begin", agent, child: id, ...begun } as const;
          assertBegun(await unlessAborted(waits.outcome(places, wanted), options));
        } else await waits.request(places, { kind: "nothing", agent, child: id, ...begun });
        return new SubInvocation(this.#active, this.#own, this.#calls, id, !isNamed);
      },
      agentCall(this.#own, "initiate", [input], idIn),
    );
  }

  get(id: string): Invocation<unknown> {
    const parsed = parseInvocationId(this.#calls.agent, id);
    return new SubInvocation(this.#active, this.#own, this.#calls, parsed, false);
  }

  #begin(waits: NodeWaits, kind: number, input: unknown, options: InvokeOptions): Child {
    const { agent, definition } = this.#calls;
    const where = `input of agent "${agent}"`;
    const metadata = encodeMetadata(`invoke of agent "${agent}"`, options.metadata);
    const { entry } = definition;
    const valid = entry.check(input, where);
    const key = entry.key === undefined ? undefined : encodeDynamicKey(entry.key(valid));
    const bytes = encodeMessage(valid, where);
    assertFits(where, bytes.length, this.#inputBytesMax);
    const call = this.#callOf(options);
    const idOf = this.#idOf(waits, key, bytes, call);
    const attempt = this.#attemptOf(waits, kind, idOf);
    const id = idOf(attempt);
    const places = waits.places(nameOf(kind, id));
    const belongs = call === undefined ? "own" : "named";
    return { id, places, belongs, beginning: { key, metadata, input: bytes, call } };
  }

  #callOf({ id }: InvokeOptions): CallId | undefined {
    const { agent, port } = this.#calls;
    return id === undefined ? undefined : parseCallId(`invoke of agent "${agent}"`, id, port.now());
  }

  /** The child's id, by the attempt in which it is begun (B1). */
  #idOf(
    waits: NodeWaits,
    key: Uint8Array | undefined,
    input: Uint8Array,
    call: CallId | undefined,
  ): (attempt: number) => InvocationId {
    const placement = key === undefined ? undefined : hashKey(key);
    const { agent } = this.#calls;
    if (call !== undefined) {
      const id = invocationIdOfCall(placement ?? placementOfCall(call), call);
      return () => id;
    }
    const seed = new Uint8Array(40);
    seed.set(operationPrefix(this.#run));
    const view = new DataView(seed.buffer);
    view.setUint32(24, waits.nextIndex);
    view.setUint32(32, checksum(input));
    view.setUint32(36, checksum(Buffer.from(agent, "latin1")));
    return (attempt) => {
      view.setUint32(28, attempt);
      return invocationIdOfNode(placement ?? hashKey(seed), this.#run.invocationId, seed);
    };
  }

  /** The attempt in which the child is begun that this one goes on with (B2). */
  #attemptOf(waits: NodeWaits, kind: number, idOf: (attempt: number) => InvocationId): number {
    const { attempt } = this.#run;
    if (!waits.mayHaveEarlier) return attempt;
    for (let begun = attempt; begun >= 0; begun -= 1) {
      const id = idOf(begun);
      if (!waits.wasRequested(nameOf(kind, id))) continue;
      const told = waits.earlierOutcomes(nameOf(kind, id), ...outcomeNames(id));
      return failedBefore(told, attempt) ? attempt : begun;
    }
    return attempt;
  }
}

/** What the trace says of a call. */
function agentCall(
  agent: string,
  call: string,
  given: readonly unknown[],
  shown?: (value: unknown) => unknown,
): Traced {
  const traced = { type: "agent-call", about: { agent, call }, arguments: given } as const;
  return shown === undefined ? traced : { ...traced, shown };
}

function idIn(value: unknown): unknown {
  return value instanceof SubInvocation ? value.id : undefined;
}

/** An invocation as a node that has begun it, or looks at it, holds it. */
class SubInvocation extends InvocationHandle {
  readonly #active: ActiveNode;
  readonly #own: string;
  readonly #calls: AgentCalls;
  readonly #id: InvocationId;
  /** It was begun by this run, and its home may not know it yet. */
  #isFresh: boolean;

  constructor(
    active: ActiveNode,
    own: string,
    calls: AgentCalls,
    id: InvocationId,
    isFresh: boolean,
  ) {
    super(calls, id);
    this.#isFresh = isFresh;
    this.#active = active;
    this.#own = own;
    this.#calls = calls;
    this.#id = id;
  }

  override result(options: WaitOptions = {}): Promise<unknown> {
    return this.#active.waiting(
      this.#name("result"),
      async (waits) => {
        checkWaitOptions("result", options);
        const { agent } = this.#calls;
        const child = this.#id;
        const places = waits.places(nameOf(names.result, child));
        // One that the node has begun is on record as its own since then.
        const wanted = {
          kind: "result",
          agent,
          child,
          belongs: "apart",
          beginning: undefined,
        } as const;
        const outcome = await unlessAborted(waits.outcome(places, wanted), options);
        return resultIn(agent, child, outcome);
      },
      agentCall(this.#own, "result", [this.id]),
    );
  }

  override nextStep(options: WaitOptions = {}): Promise<NextStep<unknown>> {
    return this.#active.waiting(
      this.#name("nextStep"),
      async (waits) => {
        checkWaitOptions("nextStep", options);
        const { agent } = this.#calls;
        const child = this.#id;
        const places = waits.places(nameOf(names.step, child));
        const outcome = await unlessAborted(
          waits.outcome(places, { kind: "step", agent, child }),
          options,
        );
        const { reply } = readInAttempt(outcome);
        if (reply.kind === "refused") throw refusalOf(reply.error);
        if (reply.kind !== "asks") return stepOf(agent, child, reply);
        return stepOf(agent, child, { kind: "asks", question: questionOf(child, reply.asked) });
      },
      agentCall(this.#own, "nextStep", [this.id]),
    );
  }

  override answer(
    question: HumanQuestion | string,
    value: unknown,
    options: WaitOptions = {},
  ): Promise<void> {
    return this.#active.waiting(
      this.#name("answer"),
      async (waits) => {
        checkWaitOptions("answer", options);
        const { agent } = this.#calls;
        const child = this.#id;
        const answer = answerOf(child, question, value);
        const places = waits.places((writer) => {
          writer.u8(names.receipt);
          writer.bytes(answer.question);
          writer.u32(checksum(answer.value));
        });
        const wanted = { kind: "receipt", agent, child, ...answer } as const;
        const refusal = await unlessAborted(waits.outcome(places, wanted), options);
        if (refusal.length > 0) throw refusalOf(refusal);
      },
      agentCall(this.#own, "answer", [this.id, value]),
    );
  }

  override humanInputs(options: WaitOptions = {}): Promise<readonly HumanQuestion[]> {
    return this.#looks("humanInputs", () => super.humanInputs(options));
  }

  override isComplete(options: WaitOptions = {}): Promise<boolean> {
    return this.#looks("isComplete", () => super.isComplete(options));
  }

  override cancel(options: WaitOptions = {}): Promise<void> {
    return this.#looks("cancel", () => super.cancel(options));
  }

  override metadata(options: WaitOptions = {}): Promise<Metadata> {
    return this.#looks("metadata", () => super.metadata(options));
  }

  override setMetadata(changes: MetadataChanges, options: WaitOptions = {}): Promise<Metadata> {
    return this.#looks("setMetadata", () => super.setMetadata(changes, options));
  }

  override async fork(changes: ForkChanges, options: ForkOptions = {}): Promise<unknown> {
    const { signal } = options;
    const fork = await this.initiateFork(changes, options);
    return await fork.result(signal && { signal });
  }

  override initiateFork(
    changes: ForkChanges,
    options: ForkOptions = {},
  ): Promise<Invocation<unknown>> {
    const active = this.#active;
    const name = this.#name("initiateFork");
    const traced = agentCall(this.#own, "initiateFork", [this.id, changes], idIn);
    const begin = async (waits: NodeWaits): Promise<Invocation<unknown>> => {
      checkForkOptions("initiateFork", options);
      const [calls, parent] = [this.#calls, this.#id];
      const { port, attempt } = waits;
      const outcomesOf = (fork: InvocationId) => waits.earlierOutcomes(...outcomeNames(fork));
      const forkCall = { active, port, attempt, calls, parent, changes, options, outcomesOf };
      const forked = forkOnce(forkCall);
      // Sent for good, like what is written: the function may not return before.
      const begun = active.operation(name, async () => {
        await this.#known();
        return await forked();
      });
      const id = await unlessAborted(begun, options);
      return new SubInvocation(active, this.#own, calls, id, false);
    };
    return active.waiting(name, begin, traced);
  }

  override parent(options: WaitOptions = {}): Promise<string | undefined> {
    return this.#looks("parent", () => super.parent(options));
  }

  override forks(options: WaitOptions = {}): Promise<readonly string[]> {
    return this.#looks("forks", () => super.forks(options));
  }

  override stream(node: string, options: WaitOptions = {}): ChunkStream {
    return this.#followed(super.stream(node, options), false);
  }

  override streamSpecific(
    node: string,
    nodeInvocationId: string,
    options: WaitOptions = {},
  ): ChunkStream {
    return this.#followed(super.streamSpecific(node, nodeInvocationId, options), false);
  }

  override streamAll(node: string, options: WaitOptions = {}): ChunkStream {
    return this.#followed(super.streamAll(node, options), true);
  }

  #followed(stream: ChunkStream, isAll: boolean): ChunkStream {
    // Where nothing comes after the entry, its stream is all of the invocation.
    const isWhole = isAll || this.#calls.definition.entry.targets.length === 0;
    const known = (): Promise<void> => this.#known();
    return this.#active.looks.followed(stream, { child: this.#id, isWhole }, known);
  }

  async #known(): Promise<void> {
    if (!this.#isFresh) return;
    await this.#active.looks.known(() => super.isComplete());
    this.#isFresh = false;
  }

  /** What is not journaled: a run after a crash looks again. */
  #looks<T>(operation: string, begin: () => Promise<T>): Promise<T> {
    return this.#active.look(this.#name(operation), async () => {
      await this.#known();
      return await begin();
    });
  }

  #name(operation: string): string {
    return `agents.${this.#own}.${operation}`;
  }
}

/** Of the waits that tell what a child has come to. */
const outcomeNames = (child: InvocationId): readonly NameWriter[] =>
  [names.result, names.step].map((kind) => nameOf(kind, child));

function nameOf(kind: number, child: InvocationId): NameWriter {
  return (writer) => {
    writer.u8(kind);
    writer.bytes(child);
  };
}
