// Invocation handle — one run of an agent, as its client hands it out.
//
// Owns: checking what is passed to its methods. Leaves to others: the contract of each method
// (invocation.ts), asking home how it stands or to stop it (outcome-question.ts), following streams
// (stream-client.ts), what an invocation does (execution.ts).
// Invariants C1 and C3 of client.ts.

import { PartitaError } from "../../base/errors.js";
import {
  decodeMetadata,
  encodeMetadataChanges,
  type Metadata,
  type MetadataChanges,
} from "../declare/metadata.js";
import { encodeMetadataMessage } from "../wire/metadata-message.js";
import {
  formatInvocationId,
  type InvocationId,
  parseNodeId,
  placementOf,
} from "../wire/invocation-id.js";
import type { HumanQuestion, Invocation, NextStep } from "./invocation.js";
import { type AgentCalls, askComplete, askOutcome, askStop, resultOf } from "./outcome-question.js";
import { answerQuestion, nextStepOf, openQuestions, type Step } from "./questions.js";
import type { ChunkStream } from "./stream.js";
import { chunkStream, type StreamSubject } from "./stream-client.js";
import { beginFork, checkForkOptions, type ForkChanges, type ForkOptions } from "./fork-client.js";
import { decodeKin, encodeForkMessage, type Kin } from "../wire/fork-message.js";
import type { NodeTrace } from "./trace.js";
import { traceOf } from "./trace-client.js";
import { checkWaitOptions, unlessAborted, type WaitOptions, waited } from "./waiting.js";

export class InvocationHandle implements Invocation<unknown> {
  readonly id: string;
  readonly #id: InvocationId;
  readonly #calls: AgentCalls;

  constructor(calls: AgentCalls, id: InvocationId) {
    this.id = formatInvocationId(id);
    this.#id = id;
    this.#calls = calls;
  }

  async result(options: WaitOptions = {}): Promise<unknown> {
    checkWaitOptions("result", options);
    const answer = await waited(askOutcome(this.#calls, this.#id, options.signal));
    return resultOf(this.#calls.agent, this.#id, answer);
  }

  async isComplete(options: WaitOptions = {}): Promise<boolean> {
    checkWaitOptions("isComplete", options);
    return await waited(askComplete(this.#calls, this.#id, options.signal));
  }

  async cancel(options: WaitOptions = {}): Promise<void> {
    checkWaitOptions("cancel", options);
    await waited(askStop(this.#calls, this.#id, options.signal));
  }

  async fork(changes: ForkChanges, options: ForkOptions = {}): Promise<unknown> {
    checkForkOptions("fork", options);
    const id = await beginFork(this.#calls, this.#id, changes, options);
    const { signal } = options;
    return await new InvocationHandle(this.#calls, id).result(signal && { signal });
  }

  async initiateFork(
    changes: ForkChanges,
    options: ForkOptions = {},
  ): Promise<Invocation<unknown>> {
    checkForkOptions("initiateFork", options);
    return new InvocationHandle(
      this.#calls,
      await beginFork(this.#calls, this.#id, changes, options),
    );
  }

  async parent(options: WaitOptions = {}): Promise<string | undefined> {
    const { parent } = await this.#kin("parent", options);
    return parent === undefined ? undefined : formatInvocationId(parent);
  }

  async forks(options: WaitOptions = {}): Promise<readonly string[]> {
    const { forks } = await this.#kin("forks", options);
    return forks.map(formatInvocationId);
  }

  async #kin(operation: string, options: WaitOptions): Promise<Kin> {
    checkWaitOptions(operation, options);
    const { agent, port } = this.#calls;
    const asked = encodeForkMessage({ kind: "kin", agent, invocationId: this.#id });
    const home = port.ownerOf(placementOf(this.#id));
    return decodeKin(await waited(unlessAborted(port.request(home, asked), options)));
  }

  trace(options: WaitOptions = {}): AsyncIterable<NodeTrace> {
    checkWaitOptions("trace", options);
    const { signal } = options;
    return { [Symbol.asyncIterator]: () => traceOf(this.#calls, this.#id, signal) };
  }

  metadata(options: WaitOptions = {}): Promise<Metadata> {
    return this.#metadata("metadata", {}, options);
  }

  setMetadata(changes: MetadataChanges, options: WaitOptions = {}): Promise<Metadata> {
    return this.#metadata("setMetadata", changes, options);
  }

  async #metadata(
    operation: string,
    changes: MetadataChanges,
    options: WaitOptions,
  ): Promise<Metadata> {
    checkWaitOptions(operation, options);
    const { agent, port } = this.#calls;
    const subject = { agent, invocationId: this.#id };
    const bytes = encodeMetadataChanges(operation, changes);
    const message = encodeMetadataMessage({ kind: "metadata", ...subject, changes: bytes });
    const home = port.ownerOf(placementOf(this.#id));
    return decodeMetadata(await waited(unlessAborted(port.request(home, message), options)));
  }

  async nextStep(options: WaitOptions = {}): Promise<NextStep<unknown>> {
    checkWaitOptions("nextStep", options);
    const step = await waited(nextStepOf(this.#calls, this.#id, options.signal));
    return stepOf(this.#calls.agent, this.#id, step);
  }

  async humanInputs(options: WaitOptions = {}): Promise<readonly HumanQuestion[]> {
    checkWaitOptions("humanInputs", options);
    return await waited(openQuestions(this.#calls, this.#id, options.signal));
  }

  async answer(
    question: HumanQuestion | string,
    value: unknown,
    options: WaitOptions = {},
  ): Promise<void> {
    checkWaitOptions("answer", options);
    await waited(answerQuestion(this.#calls, this.#id, question, value, options.signal));
  }

  stream(node: string, options: WaitOptions = {}): ChunkStream {
    return this.#stream("stream", { kind: "first", node }, options);
  }

  streamSpecific(node: string, nodeInvocationId: string, options: WaitOptions = {}): ChunkStream {
    const id = parseNodeId(nodeInvocationId);
    if (id === undefined) {
      const { agent } = this.#calls;
      const details = { agent, invocationId: this.id, node, nodeInvocationId };
      throw new PartitaError("NODE_INVOCATION_UNKNOWN", details);
    }
    return this.#stream("streamSpecific", { kind: "one", node, id }, options);
  }

  streamAll(node: string, options: WaitOptions = {}): ChunkStream {
    return this.#stream("streamAll", { kind: "all", node }, options);
  }

  #stream(operation: string, subject: StreamSubject, options: WaitOptions): ChunkStream {
    checkWaitOptions(operation, options);
    const { agent, definition } = this.#calls;
    const { node } = subject;
    if (!definition.nodes.has(node)) {
      const known = [...definition.nodes.keys()];
      throw new PartitaError("NODE_UNKNOWN", { agent, node: String(node), known });
    }
    return chunkStream(() => this.#calls, this.#id, subject, options.signal);
  }
}

/**
 * What a step comes to.
 * @throws PartitaError INVOCATION_FAILED, INVOCATION_UNKNOWN
 */
export function stepOf(agent: string, id: InvocationId, step: Step): NextStep<unknown> {
  if (step.kind === "asks") return { kind: "question", question: step.question };
  return { kind: "result", result: resultOf(agent, id, step) };
}
