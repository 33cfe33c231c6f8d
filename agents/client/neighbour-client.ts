// Neighbour client — what a node can do with an agent of another topology: the contract.
//
// Owns: the interfaces. Leaves to others: doing it (agents/node/neighbour-agents.ts).

import type { Metadata } from "../declare/metadata.js";
import type { Invocation } from "./invocation.js";
import type { WaitOptions } from "./waiting.js";

/** Options of calls that begin an invocation: the id of each is the node's own affair. */
export interface NeighbourInvokeOptions extends WaitOptions {
  /**
   * What is attached to the invocation there, as `InvokeOptions.metadata`. What the first run of
   * the node has given stays, also when a later one gives something else.
   */
  readonly metadata?: Metadata;
}

/** Calls an agent of another topology that is launched in the process. */
export interface NeighbourAgentClient<Input, Result> {
  /**
   * Runs the agent once and resolves with its result, which is recorded: a later run of this node
   * gets it without asking. When this node is cancelled, so is what it has begun there, waited for
   * or not (`Invocation.cancel`). Each question that a human is asked there is a question of this
   * node too, and so of its invocation, up to the top: `limits.neighbourQuestionsMax` of one
   * invocation at a time. It is answered here or there.
   *
   * Once it has begun, this node waits for it however long the other topology is away, and costs no
   * memory meanwhile, like every node that only waits.
   *
   * @throws PartitaError as `AgentClient.invoke`; OPTION_INVALID when there is an `id`
   * @throws PartitaError NEIGHBOUR_UNAVAILABLE when the topology is not launched for
   *   `limits.neighbourWaitMs`, or more than once
   */
  invoke(input: Input, options?: NeighbourInvokeOptions): Promise<Result>;

  /**
   * Begins an invocation, once for all runs of this node, and resolves when it is durable there. A
   * later attempt of this node's invocation begins another one if this one was told that it failed.
   * `result` of it passes questions on as `invoke` does; driving it by `nextStep` does not.
   */
  initiate(input: Input, options?: NeighbourInvokeOptions): Promise<NeighbourInvocation<Result>>;

  /** The invocation of an id. */
  get(id: string): NeighbourInvocation<Result>;
}

/** An invocation in another topology, as a node sees it: all but the making of forks. */
export type NeighbourInvocation<Result> = Pick<
  Invocation<Result>,
  | "id"
  | "result"
  | "isComplete"
  | "cancel"
  | "nextStep"
  | "humanInputs"
  | "answer"
  | "stream"
  | "streamSpecific"
  | "streamAll"
  | "metadata"
  | "setMetadata"
  | "trace"
  | "parent"
  | "forks"
>;
