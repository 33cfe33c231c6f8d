// Invocation — what can be done with one run of an agent: the contract of every method.
//
// Owns: the interface. Leaves to others: doing it (invocation-handle.ts).

import type { Metadata, MetadataChanges } from "../declare/metadata.js";
import type { ChunkStream } from "./stream.js";
import type { ForkChanges, ForkOptions } from "./fork-client.js";
import type { NodeTrace } from "./trace.js";
import type { WaitOptions } from "./waiting.js";

/** A question that a node of an invocation asks a human: `ctx.askHuman`. */
export interface HumanQuestion {
  /** What `Invocation.answer` takes. */
  readonly id: string;
  /** The invocation that is to be answered. */
  readonly invocationId: string;
  /** The node that asks; for a question that another agent asks, the node that waits for it. */
  readonly node: string;
  readonly nodeInvocationId: string;
  readonly prompt: unknown;
  /** When it was asked: milliseconds since the epoch. */
  readonly askedAt: number;
}

/** What is next for whoever drives an invocation. */
export type NextStep<Result> =
  | { readonly kind: "result"; readonly result: Result }
  | { readonly kind: "question"; readonly question: HumanQuestion };

/** One run of an agent. */
export interface Invocation<Result> {
  /** `pppppppp-tttttttttttt-rrrrrrrrrrrr`; `AgentClient.get` takes it. */
  readonly id: string;

  /**
   * Resolves with the result as soon as there is one; any number of times, while its record is kept
   * (`limits.invocationsRetainedMax` of each agent and task, pending ones in any case).
   *
   * @throws PartitaError INVOCATION_FAILED when it failed
   * @throws PartitaError INVOCATION_CANCELLED when it was cancelled
   * @throws PartitaError INVOCATION_UNKNOWN when this agent has no such invocation, or forgot it
   * @throws PartitaError TASK_EXITED, MAILBOX_FULL, CLOSED: asking again is safe
   */
  result(options?: WaitOptions): Promise<Result>;

  /**
   * Whether it has ended: with its result, by failing, or by being cancelled. Nodes of it may still
   * run then.
   * @throws PartitaError as `result`, but for how it ended
   */
  isComplete(options?: WaitOptions): Promise<boolean>;

  /**
   * Ends it, and what it still does, durably: unless it has ended, `result()` rejects with
   * INVOCATION_CANCELLED from now on. Nodes that wait are not run any more; those that run have
   * their `ctx.signal` aborted, and nothing of what they emit or give as result is heard. Resolves
   * when all of them have returned: at once when nothing of the invocation runs any more. Calling
   * it again is fine.
   *
   * What its nodes have begun is cancelled at the same moment, whether they wait for it or not, and
   * this resolves when that has stopped as well. Not so what was begun by a node that had ended
   * before, or was given up: that goes on. One that was begun under an id of its own is told to
   * stop, and not waited for; one of another topology, as long as that topology is there. One that
   * a death kept from being recorded goes on there when its node is cancelled before it runs again.
   *
   * @throws PartitaError INVOCATION_UNKNOWN when this agent has no such invocation, or forgot it
   * @throws PartitaError TASK_EXITED, MAILBOX_FULL, CLOSED: calling it again is safe
   */
  cancel(options?: WaitOptions): Promise<void>;

  /**
   * Runs a fork, and resolves with its result: a new invocation in which the named node invocations
   * get new messages, and run with everything downstream of them; all else is copied as finished,
   * with what has not finished to be run as well. Ids of the copies are new. It has the metadata
   * that this one has now; chunks are not copied.
   *
   *     const other = await invocation.fork({ [nodeInvocationId]: { ...message, limit: 5 } });
   *
   * @throws PartitaError INVOCATION_UNKNOWN, NODE_INVOCATION_UNKNOWN
   * @throws PartitaError FORK_OUTDATED when the agent's graph has changed since
   * @throws PartitaError SCHEMA_INVALID and other refusals of a message, OPTION_INVALID
   * @throws PartitaError as `AgentClient.invoke`; with an `id`, calling it again is safe
   */
  fork(changes: ForkChanges, options?: ForkOptions): Promise<Result>;

  /**
   * Begins a fork and resolves when it is durable.
   * @throws PartitaError as `fork`, but for INVOCATION_FAILED
   */
  initiateFork(changes: ForkChanges, options?: ForkOptions): Promise<Invocation<Result>>;

  /** The id of the invocation that it is a fork of. @throws PartitaError as `metadata` */
  parent(options?: WaitOptions): Promise<string | undefined>;

  /** The ids of its forks, in the order in which they began. @throws PartitaError as `metadata` */
  forks(options?: WaitOptions): Promise<readonly string[]>;

  /**
   * Its node invocations, breadth first from the entry, with what they were given, emitted and did:
   * read in pages while it is iterated, so that what changes meanwhile is in it or not.
   * @throws PartitaError INVOCATION_UNKNOWN, and others as `result`
   */
  trace(options?: WaitOptions): AsyncIterable<NodeTrace>;

  /**
   * The metadata as it is now.
   * @throws PartitaError INVOCATION_UNKNOWN, and others as `result`
   */
  metadata(options?: WaitOptions): Promise<Metadata>;

  /**
   * Sets the names that are given, removes those given as `undefined`, leaves all others; resolves
   * with what it is then. Nodes go on to see what the invocation was begun with.
   * @throws PartitaError OPTION_INVALID; as `metadata`
   */
  setMetadata(changes: MetadataChanges, options?: WaitOptions): Promise<Metadata>;

  /**
   * Resolves with the result, or with the oldest question that is open; a result wins. Called again
   * before the question was answered, it may give the same one.
   * @throws PartitaError as `result`
   */
  nextStep(options?: WaitOptions): Promise<NextStep<Result>>;

  /**
   * The questions that are open, oldest first: those of its nodes, and those of agents whose result
   * its nodes wait for.
   * @throws PartitaError INVOCATION_UNKNOWN, TASK_EXITED, MAILBOX_FULL, CLOSED
   */
  humanInputs(options?: WaitOptions): Promise<readonly HumanQuestion[]>;

  /**
   * Answers exactly this question, given as such or by its id, and resolves when the node has taken
   * the answer; not when it has finished. The answer is carried like a value.
   *
   * @throws PartitaError QUESTION_UNKNOWN when this invocation has never asked it
   * @throws PartitaError QUESTION_STALE when it is not open any more
   * @throws PartitaError SCHEMA_INVALID when it does not fit the schema of the node: the question
   *   stays open
   * @throws PartitaError VALUE_*, MESSAGE_TOO_LARGE, and TASK_EXITED, MAILBOX_FULL, DISK_LOW,
   *   CLOSED: asking again is safe, and stale when it had been taken
   */
  answer(question: HumanQuestion | string, value: unknown, options?: WaitOptions): Promise<void>;

  /**
   * Follows the chunks of the first invocation of `node` that streams, and completes with it; when
   * none ever does, it ends with the invocation.
   *
   *     for await (const event of invocation.stream("write")) {
   *       if (event.kind === "reset") screen.clear();
   *       if (event.kind === "chunk") screen.append(event.value);
   *     }
   *
   * @throws PartitaError NODE_UNKNOWN when the agent has no such node
   */
  stream(node: string, options?: WaitOptions): ChunkStream;

  /**
   * Follows the chunks of one invocation of `node`: `nodeInvocationId` is what `ctx` has there, and
   * what `streamAll` and `trace` tell.
   *
   * @throws PartitaError NODE_UNKNOWN; NODE_INVOCATION_UNKNOWN when the text is no id, and, when it
   *   is iterated, when it is the id of an invocation of another node
   */
  streamSpecific(node: string, nodeInvocationId: string, options?: WaitOptions): ChunkStream;

  /**
   * Follows the chunks of all invocations of `node`, each with its id, and completes when the whole
   * tree of node invocations has finished. Events of one come in order; those of several mix.
   *
   * @throws PartitaError NODE_UNKNOWN when the agent has no such node
   */
  streamAll(node: string, options?: WaitOptions): ChunkStream;
}
