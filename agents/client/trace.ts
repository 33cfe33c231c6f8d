// Trace — what an invocation has done, node invocation by node invocation: the contract.
//
// Owns: the types. Leaves to others: walking over the tree (trace-client.ts).

import type { InvocationFailureDetails } from "../../base/error-codes.js";
import type { OperationType } from "../wire/node-trace.js";

/** Something that a node did while it ran. */
export interface NestedOperation {
  readonly type: OperationType;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly finishedAt: number;
  /**
   * What it was about: of a store operation `{ store, call, arguments, result }`; of one that was
   * refused `error` instead of `result`; with `cut: true` without what was too large; of one that
   * `ctx.recordOperation` has added, what was given to it.
   */
  readonly info: unknown;
}

/** One emit of a node invocation. */
export interface TracedEmit {
  /** Of the node invocation that it started; `undefined` for an input of a gather. */
  readonly nodeInvocationId: string | undefined;
  /** Where that runs; `undefined` for an input of a gather. */
  readonly task: number | undefined;
  readonly node: string;
  readonly message: unknown;
}

/** What a gather has collected. */
export interface TracedGather {
  readonly inputCount: number;
  /** The first of them: at most 10. */
  readonly inputs: readonly unknown[];
  /** What the scatter returned, and what the inputs came to: both `undefined` until it starts. */
  readonly carry: unknown;
  readonly state: unknown;
}

/** One node invocation. */
export interface NodeTrace {
  readonly nodeInvocationId: string;
  /** What emitted it, or, of a gather, its scatter; `undefined` for the entry. */
  readonly parent: string | undefined;
  readonly node: string;
  readonly task: number;
  /** `open` until it has finished: it waits, or runs, or was given up. */
  readonly status: "open" | "finished";
  /** What it was given; of a gather `{ state, carry }`. */
  readonly message: unknown;
  readonly emits: readonly TracedEmit[];
  /** The result that it has given, if it has. */
  readonly result: { readonly value: unknown } | undefined;
  /** Of the run that finished: milliseconds since the epoch. */
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** The attempt of the invocation that it finished in. */
  readonly attempt: number | undefined;
  /**
   * Of this node invocation, in all attempts, oldest first: those that the record of the invocation
   * has room for, which takes 64 of about 64 KiB in all, whatever node they are of.
   */
  readonly failures: readonly InvocationFailureDetails[];
  /** Failures of the whole invocation that its record had no room for: some may be of this one. */
  readonly failuresLost: number;
  /** Over all attempts, in their order. */
  readonly operations: readonly NestedOperation[];
  /** Operations that there was no room for (`limits.nodeTraceBytesMax` for each run). */
  readonly operationsLost: number;
  readonly gather: TracedGather | undefined;
}
