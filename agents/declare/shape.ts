// Shape — the types between an agent's declaration and its functions: one place for all inference.
//
// `agent()` takes a shape; everything else follows from it: what each node function receives,
// what it may emit, to whom, which stores and compute functions it sees. Types only, nothing
// runs.
//
// What a shape must not say is refused while it is typed: the expected type becomes
// `Refused<"...">`, so that the error reads as a sentence. definition-problems.ts says the same
// at run time.

import type { StoreDeclaration } from "../../store/declaration.js";
import type { KeyValueStore, ReadOnlyKeyValueStore } from "../../store/key-value-store.js";
import type { Schema, SchemaValue } from "../../store/schema.js";
import type { AgentClient } from "../client/client.js";
import type { NeighbourAgentClient } from "../client/neighbour-client.js";
import type { NeighbourAgentRef, TypedAgent } from "./agent-ref.js";
import type { NodeContext } from "./context.js";
import type { AnyNode, NodeInputOf, TargetOf, TypesOf } from "./node.js";
import type { ObjectDeclaration } from "./object.js";
import type { Refused } from "./refused.js";
import type { StoreRef } from "./store-ref.js";

/** What `agent()` takes. */
export interface AgentShape {
  /**
   * Stores its nodes use, by the names they use: declarations that the topology holds, or
   * `storeRef(topology, "name")` for one of another topology, which they can read.
   */
  readonly stores?: Readonly<Record<string, object>>;
  /** Compute functions its nodes call; the topology declares the same functions. */
  readonly compute?: Readonly<Record<string, (...args: never[]) => unknown>>;
  /**
   * Agents its nodes call, by the names they use: declarations that the topology holds, or
   * `agentRef("name")` for one that is declared later, or for this agent itself, or
   * `agentRef(topology, "name")` for one of another topology that is launched in the process.
   */
  readonly agents?: Readonly<Record<string, object>>;
  /** Objects its nodes use; the topology declares the same values. */
  readonly objects?: Readonly<Record<string, object>>;
  readonly nodes: Readonly<Record<string, AnyNode>>;
  /** The node that an invocation begins with: its message is the agent's input. */
  readonly entry: string;
  /** What a result must look like. */
  readonly result: Schema<unknown>;
  /**
   * How often an invocation is tried again in which node functions threw; 0 to 100, default 2.
   * Several failures of one attempt cost one of them. What has finished is not run again; what has
   * not is, with the same message and ids, also when it is still running: then its `ctx.signal` is
   * aborted and what it still does is refused with INVOCATION_RETRIED. After that the invocation
   * fails, and the messages of nodes that failed in its last attempt are dead letters.
   */
  readonly maxRetries?: number;
  /**
   * Milliseconds before the first retry, at most 3,600,000; each further one waits twice as long,
   * up to that. A pause is shortened by chance, to half at most. Default 0: at once.
   */
  readonly retryBackoffMs?: number;
  /**
   * Milliseconds without progress after which an invocation that has a lost node invocation is
   * stalled, which costs a retry. 1 to 86,400,000; default 10,000. Looks are 10,000 apart.
   */
  readonly stallThresholdMs?: number;
  /**
   * What becomes of an invocation under way when the topology is launched with another graph of its
   * agent, and at its retries: it goes on with the new functions, begins again from its root with
   * the original input, or fails with "Retry dropped". Two changes since its attempt began are too
   * many for any mode: it fails. Nodes that a launch has begun to run before it has judged their
   * invocation are stopped again, and nothing of them counts. Default: `continue`.
   */
  readonly updateMode?: UpdateMode;
  /**
   * Part of the version of the agent's graph: raise it when its functions have changed so that
   * `updateMode` should act. 0 to 1,000,000,000; default 0.
   */
  readonly version?: number;
  /** Records of finished invocations that each task keeps: 1 to 1,000,000, default 5,000. */
  readonly maxInvocationsPerTask?: number;
}

/** What becomes of invocations under way when the graph of their agent has changed. */
export type UpdateMode = "continue" | "restart" | "drop";

type NodesOf<A extends AgentShape> = A["nodes"];

/** Names of the nodes of a shape. */
export type NodeNameOf<A extends AgentShape> = keyof NodesOf<A> & string;

/** The shape as it should have been: equal to it where it is right, sentences where it is not. */
export type CheckedShape<A extends AgentShape> = {
  readonly nodes: {
    readonly [N in keyof NodesOf<A>]: CheckedNode<A, NodesOf<A>[N], N & string>;
  };
  readonly entry: CheckedEntry<A, A["entry"]>;
} & {
  readonly [Option in Exclude<
    keyof A,
    keyof AgentShape
  >]: Refused<`agent() has no option "${Option & string}"`>;
} & (A extends { readonly stores: infer S }
    ? { readonly stores: { readonly [N in keyof S]: CheckedStore<S[N], N & string> } }
    : unknown) &
  (A extends { readonly agents: infer G }
    ? { readonly agents: { readonly [N in keyof G]: CheckedAgent<G[N], N & string> } }
    : unknown) &
  (A extends { readonly objects: infer O }
    ? { readonly objects: { readonly [N in keyof O]: CheckedObject<O[N], N & string> } }
    : unknown);

type CheckedEntry<A extends AgentShape, Entry extends string> =
  Entry extends NodeNameOf<A>
    ? NodesOf<A>[Entry]["kind"] extends "gather"
      ? Refused<`the entry "${Entry}" is a gather, outside of any scope`>
      : Entry
    : Refused<`entry "${Entry}" is not a node of this agent`>;

type CheckedNode<A extends AgentShape, N extends AnyNode, Name extends string> = [
  TargetOf<N>,
] extends [NodeNameOf<A>]
  ? CheckedScope<N, Name, NodesOf<A>[keyof NodesOf<A>]>
  : Refused<UndeclaredTarget<Name, Exclude<TargetOf<N>, NodeNameOf<A>>>>;

/** A scope has both of its ends; whether they are each other's is for `topology()` to find. */
type CheckedScope<
  N extends AnyNode,
  Name extends string,
  Any extends AnyNode,
> = N["kind"] extends "scatter"
  ? "gather" extends Any["kind"]
    ? N
    : Refused<`no gather of this agent ends the scope of scatter "${Name}"`>
  : N["kind"] extends "gather"
    ? "scatter" extends Any["kind"]
      ? CheckedCarry<N, Name, CarriedBy<Any>>
      : Refused<`no scatter of this agent opens a scope that gather "${Name}" could end`>
    : N;

/** A gather takes what a scatter of its agent gives; which one is for `topology()` to find. */
type CheckedCarry<N extends AnyNode, Name extends string, Carried> = [undefined] extends [
  TypesOf<N>["carry"],
]
  ? N
  : [Extract<Carried, readonly [TypesOf<N>["carry"]]>] extends [never]
    ? Refused<`gather "${Name}" takes a carry that no scatter of this agent gives`>
    : N;

type CarriedBy<N> = N extends AnyNode
  ? N["kind"] extends "scatter"
    ? readonly [TypesOf<N>["carry"]]
    : never
  : never;

type UndeclaredTarget<
  Name extends string,
  Target extends string,
> = `node "${Name}" emits to "${Target}", which this agent does not declare`;

type CheckedStore<S, Name extends string> =
  S extends StoreDeclaration<infer _K, infer _V, infer _U>
    ? S
    : S extends StoreRef<infer _K, infer _V>
      ? S
      : Refused<`"${Name}" is not a store: declare it with keyValueStore()`>;

type CheckedAgent<G, Name extends string> =
  G extends TypedAgent<infer _I, infer _R>
    ? G
    : Refused<`"${Name}" is not an agent: declare it with agent(), or name it with agentRef()`>;

type CheckedObject<O, Name extends string> =
  O extends ObjectDeclaration<infer _T>
    ? O
    : Refused<`"${Name}" is not an object: declare it with object()`>;

/** The function of each node. It may be async; effects take place when it has returned. */
export type NodeFunctions<A extends AgentShape> = {
  readonly [N in keyof NodesOf<A>]: NodeFunctionOf<A, NodesOf<A>[N]>;
};

/**
 * A node's function gets its message; a scatter's returns the carry; a gather's gets what was
 * collected, and the carry.
 */
type NodeFunctionOf<A extends AgentShape, N extends AnyNode> = N["kind"] extends "gather"
  ? (
      ctx: NodeContext<A, TargetOf<N>>,
      state: TypesOf<N>["message"],
      carry: TypesOf<N>["carry"],
    ) => void | Promise<void>
  : [TypesOf<N>["returned"]] extends [undefined]
    ? (ctx: NodeContext<A, TargetOf<N>>, message: TypesOf<N>["message"]) => void | Promise<void>
    : (
        ctx: NodeContext<A, TargetOf<N>>,
        message: TypesOf<N>["message"],
      ) => TypesOf<N>["returned"] | Promise<TypesOf<N>["returned"]>;

/** `ctx.stores`. */
export type StoresOf<A extends AgentShape> = A extends { readonly stores: infer S }
  ? { readonly [N in keyof S]: StoreClientOf<S[N]> }
  : Readonly<Record<never, never>>;

type StoreClientOf<S> =
  S extends StoreDeclaration<infer K, infer V, infer U>
    ? KeyValueStore<K, V, U>
    : S extends StoreRef<infer K, infer V>
      ? ReadOnlyKeyValueStore<K, V>
      : never;

/** `ctx.compute`. */
export type ComputeOf<A extends AgentShape> = A extends { readonly compute: infer C }
  ? { readonly [N in keyof C]: ComputeFunctionOf<C[N]> }
  : Readonly<Record<never, never>>;

type ComputeFunctionOf<F> = F extends (...args: infer Args) => infer R
  ? (...args: Args) => Promise<Awaited<R>>
  : never;

/** `ctx.agents`. */
export type AgentsOf<A extends AgentShape> = A extends { readonly agents: infer G }
  ? { readonly [N in keyof G]: AgentClientIn<G[N]> }
  : Readonly<Record<never, never>>;

type AgentClientIn<G> =
  G extends NeighbourAgentRef<infer I, infer R>
    ? NeighbourAgentClient<I, R>
    : G extends TypedAgent<infer I, infer R>
      ? AgentClient<I, R>
      : never;

/** `ctx.objects`. */
export type ObjectsOf<A extends AgentShape> = A extends { readonly objects: infer O }
  ? { readonly [N in keyof O]: () => Promise<ObjectIn<O[N]>> }
  : Readonly<Record<never, never>>;

type ObjectIn<O> = O extends ObjectDeclaration<infer T> ? T : never;

/** What `ctx.emit` takes first; a sentence when there is nothing to take. */
export type EmitTarget<Target extends string> = [Target] extends [never]
  ? Refused<"this node does not declare any targets">
  : Target;

/** What a node that emits to `Target` passes on. */
export type EmittedTo<A extends AgentShape, Target> = Target extends keyof NodesOf<A>
  ? NodeInputOf<NodesOf<A>[Target]>
  : never;

/** What clients invoke the agent with. */
export type AgentInputOf<A extends AgentShape> = EmittedTo<A, A["entry"]>;

/** What `ctx.result` takes. */
export type GivenResultOf<A extends AgentShape> =
  A["result"] extends Schema<infer _T, infer Input> ? Input : never;

/** What clients get. */
export type AgentResultOf<A extends AgentShape> = SchemaValue<A["result"]>;
