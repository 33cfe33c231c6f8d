// Neighbour request — what a node asks of another topology of its process, as bytes.
//
// Keys travel as their codec's bytes, bounds and values as values.

import { decodeValue, encodeValue } from "../../store/value.js";

/** What can be asked of an invocation that has begun. */
export type NeighbourQuestion =
  | "isComplete"
  | "cancel"
  | "nextStep"
  | "humanInputs"
  | "parent"
  | "forks";

/** One request. */
export type NeighbourRequest =
  | {
      readonly op: "initiate";
      readonly agent: string;
      /** Makes it begin once. */
      readonly call: string;
      readonly metadata: Uint8Array;
      /** Who has called, as that topology names them (carried.ts). */
      readonly callers: Uint8Array;
      readonly input: Uint8Array;
    }
  | {
      readonly op: "waitsFor";
      readonly task: number;
      /** What that task is asked (chain-message.ts). */
      readonly message: Uint8Array;
    }
  | {
      readonly op: "ask";
      readonly agent: string;
      readonly invocationId: string;
      readonly question: NeighbourQuestion;
    }
  | {
      readonly op: "watch";
      readonly agent: string;
      readonly invocationId: string;
      /** The questions of it that the node has passed on. */
      readonly known: readonly Uint8Array[];
    }
  | {
      readonly op: "follow";
      readonly agent: string;
      /** What a follower asks: a message to a home task. */
      readonly message: Uint8Array;
    }
  | {
      readonly op: "trace";
      readonly agent: string;
      /** What a walk over its tree asks: a message to its home task. */
      readonly message: Uint8Array;
    }
  | {
      readonly op: "metadata";
      readonly agent: string;
      readonly invocationId: string;
      /** To be made before; none when it is only read. */
      readonly changes: unknown;
    }
  | {
      readonly op: "answer";
      readonly agent: string;
      readonly invocationId: string;
      readonly question: string;
      readonly value: Uint8Array;
    }
  | { readonly op: "get"; readonly store: string; readonly keys: readonly Uint8Array[] }
  | { readonly op: "entries"; readonly store: string; readonly bounds: NeighbourBounds };

/** Bounds of one page of `entries`. */
export interface NeighbourBounds {
  readonly from?: unknown;
  readonly to?: unknown;
  readonly prefix?: unknown;
  readonly reverse?: boolean;
  readonly limit: number;
}

export function encodeNeighbourRequest(request: NeighbourRequest): Uint8Array {
  return encodeValue(request, "a request to another topology");
}

export function decodeNeighbourRequest(bytes: Uint8Array): NeighbourRequest {
  // cast: only `encodeNeighbourRequest` makes these bytes, in this process
  return decodeValue(bytes) as NeighbourRequest;
}

/** The answer to `get`: of each key the value in a list, or an empty list. */
export type FoundValues = readonly (readonly [] | readonly [unknown])[];

/** The answer to `entries`. */
export type FoundEntries = readonly (readonly [unknown, unknown])[];

/** The answer to `trace`: the home's own, the agent's entry node, and how many tasks there are. */
export interface FoundTrace {
  readonly page: Uint8Array;
  readonly entry: string;
  readonly taskCount: number;
}

/** An open question; with its prompt when the node does not know it. */
export interface FoundQuestion {
  readonly question: Uint8Array;
  readonly prompt?: Uint8Array;
}

/** The answer to `watch`: how it ended (question-list.ts), or all questions that are open. */
export type Watched = { readonly ended: Uint8Array } | { readonly open: readonly FoundQuestion[] };
