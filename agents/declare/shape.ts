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
import type { KeyValueStore } from "../../store/key-value-store.js";
import type { Schema, SchemaValue } from "../../store/schema.js";
import type { NodeContext } from "./context.js";
import type { AnyNode, MessageOf, NodeInputOf, TargetOf } from "./node.js";

declare const refused: unique symbol;

/** A type that no value has: the sentence says why. */
export interface Refused<Sentence extends string> {
  readonly [refused]: Sentence;
}

/** What `agent()` takes. */
export interface AgentShape {
  /** Stores its nodes use, by the names they use; the topology declares the same values. */
  readonly stores?: Readonly<Record<string, object>>;
  /** Compute functions its nodes call; the topology declares the same functions. */
  readonly compute?: Readonly<Record<string, (...args: never[]) => unknown>>;
  readonly nodes: Readonly<Record<string, AnyNode>>;
  /** The node that an invocation begins with: its message is the agent's input. */
  readonly entry: string;
  /** What a result must look like. */
  readonly result: Schema<unknown>;
  /**
   * How often a node invocation whose function threw is run again, with the same message and ids;
   * 0 to 100, default 2. After that the invocation fails, and the message is a dead letter.
   */
  readonly maxRetries?: number;
  /**
   * Milliseconds before the first retry, at most 3,600,000; each further one waits twice as long,
   * up to that. A pause is shortened by chance, to half at most. Default 0: at once.
   */
  readonly retryBackoffMs?: number;
}

type NodesOf<A extends AgentShape> = A["nodes"];

/** Names of the nodes of a shape. */
export type NodeNameOf<A extends AgentShape> = keyof NodesOf<A> & string;

/** The shape as it should have been: equal to it where it is right, sentences where it is not. */
export type CheckedShape<A extends AgentShape> = {
  readonly nodes: {
    readonly [N in keyof NodesOf<A>]: CheckedNode<NodesOf<A>[N], N & string, NodeNameOf<A>>;
  };
  readonly entry: A["entry"] extends NodeNameOf<A>
    ? A["entry"]
    : Refused<`entry "${A["entry"]}" is not a node of this agent`>;
} & {
  readonly [Option in Exclude<
    keyof A,
    keyof AgentShape
  >]: Refused<`agent() has no option "${Option & string}"`>;
} & (A extends { readonly stores: infer S }
    ? { readonly stores: { readonly [N in keyof S]: CheckedStore<S[N], N & string> } }
    : unknown);

type CheckedNode<N, Name extends string, Known extends string> = [TargetOf<N>] extends [Known]
  ? N
  : Refused<UndeclaredTarget<Name, Exclude<TargetOf<N>, Known>>>;

type UndeclaredTarget<
  Name extends string,
  Target extends string,
> = `node "${Name}" emits to "${Target}", which this agent does not declare`;

type CheckedStore<S, Name extends string> =
  S extends StoreDeclaration<infer _K, infer _V, infer _U>
    ? S
    : Refused<`"${Name}" is not a store: declare it with keyValueStore()`>;

/** The function of each node. It may be async; effects take place when it has returned. */
export type NodeFunctions<A extends AgentShape> = {
  readonly [N in keyof NodesOf<A>]: (
    ctx: NodeContext<A, TargetOf<NodesOf<A>[N]>>,
    message: MessageOf<NodesOf<A>[N]>,
  ) => void | Promise<void>;
};

/** `ctx.stores`. */
export type StoresOf<A extends AgentShape> = A extends { readonly stores: infer S }
  ? { readonly [N in keyof S]: StoreClientOf<S[N]> }
  : Readonly<Record<never, never>>;

type StoreClientOf<S> =
  S extends StoreDeclaration<infer K, infer V, infer U> ? KeyValueStore<K, V, U> : never;

/** `ctx.compute`. */
export type ComputeOf<A extends AgentShape> = A extends { readonly compute: infer C }
  ? { readonly [N in keyof C]: ComputeFunctionOf<C[N]> }
  : Readonly<Record<never, never>>;

type ComputeFunctionOf<F> = F extends (...args: infer Args) => infer R
  ? (...args: Args) => Promise<Awaited<R>>
  : never;

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
