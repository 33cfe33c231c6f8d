// Node — the declaration of one step of an agent: what it takes, where it emits to, what keys it.
//
// A declaration carries its types as phantoms, so that the agent that holds it can type every
// emit and every node function before any of them is written.
// Owns: the value that `node()` returns, and the types that all kinds of nodes share. Leaves to
// others: scatters and gathers (scatter-gather.ts), whether names and options are sound
// (definition-problems.ts reports all problems of a topology at once, so nothing is refused
// here but by the types), what runs (agent.ts).

import type { Schema } from "../../store/schema.js";
import type { DynamicKey } from "../../store/tuple-key.js";
import type { Refused } from "./refused.js";

declare const nodeTypes: unique symbol;

/** Where a declaration keeps what it was given; read by definition.ts alone. */
export const nodeOptions: unique symbol = Symbol.for("partita.nodeOptions");

/** What a node is to the scopes around it: most are plain nodes of none. */
export type NodeKind = "node" | "scatter" | "gather";

/**
 * A node whatever its types. It names none, so that it lends none to what is inferred beside it.
 */
export interface AnyNode {
  readonly kind: NodeKind;
  readonly [nodeOptions]: unknown;
}

/** The phantom types of a node, whatever its kind. */
export interface NodeTypes {
  /** What its function receives; of a gather, the state. */
  readonly message: unknown;
  /** Names of the nodes it may emit to. */
  readonly target: string;
  /** What others emit to it. */
  readonly input: unknown;
  /** What a scatter keeps for its gather, and what a gather gets of it. */
  readonly carry: unknown;
  /** What a scatter's function returns: differs from `carry` when the schema transforms. */
  readonly returned: unknown;
}

/** A node with its types. */
export interface TypedNode<Types extends NodeTypes> extends AnyNode {
  /** Types only; never set. */
  readonly [nodeTypes]?: Types;
}

/**
 * One node of an agent. `Message` is what its function receives, `Target` the names of the nodes
 * it may emit to, `Input` what others emit to it: it differs from `Message` when the schema
 * transforms.
 */
export interface NodeDeclaration<Message, Target extends string = never, Input = Message>
  extends TypedNode<{
    readonly message: Message;
    readonly target: Target;
    readonly input: Input;
    readonly carry: undefined;
    readonly returned: undefined;
  }> {
  readonly kind: "node";
}

/** What `node()` is given. */
export interface NodeOptions<Message, Target extends string, Input> {
  /** What a message must look like: checked when it is emitted; what the schema returns is sent. */
  readonly input: Schema<Message, Input>;
  /** Names of the nodes it may emit to, itself among them if it loops. Default: none. */
  readonly to?: readonly Target[];
  /**
   * Makes the node keyed: it runs on the task that owns the key, where a store keyed by the same
   * value lives, one invocation at a time per key, in the order of arrival. The key is held until
   * the invocation has finished, waits included. Must depend on the message alone.
   */
  readonly key?: (message: Message) => DynamicKey;
  /** Of a keyed node: others of the same key run while it waits. Default: false. */
  readonly reentrant?: boolean;
  /**
   * Milliseconds that a run of the function may take, waits included: then its `ctx.signal` aborts
   * and the attempt fails with NODE_TIMEOUT, whether the function returns or not. 1 to 86,400,000;
   * default: any time.
   */
  readonly nodeTimeoutMs?: number;
}

/**
 * Declares a node. Without `key` it is plain: it runs anywhere, any number at a time.
 *
 *     debit: node({ input: type<Transfer>(), to: ["credit"], key: (m) => m.from })
 */
export function node<
  Message,
  Input = Message,
  const Target extends string = never,
  Given extends keyof NodeOptions<Message, Target, Input> = never,
  const Reentrant extends boolean = boolean,
  const To extends readonly Target[] = readonly Target[],
>(
  options: NodeOptions<Message, Target, Input> & CheckedKey<Given, Reentrant> & CheckedTargets<To>,
): NodeDeclaration<Message, Target, Input> {
  return Object.freeze({ kind: "node", [nodeOptions]: options });
}

/**
 * What a reentrant node gives up while it waits is its key: `true` needs one. `Given`: the options
 * that are given.
 */
type CheckedKey<Given extends string, Reentrant extends boolean> = {
  readonly [Option in Given]?: unknown;
} & { readonly reentrant?: Reentrant } & (true extends Reentrant
    ? "key" extends Given
      ? unknown
      : false extends Reentrant
        ? unknown
        : { readonly reentrant: Refused<"a reentrant node needs a key that it could give up"> }
    : unknown);

/** No target is there twice. `To`: the targets as they are listed, one by one. */
export type CheckedTargets<To extends readonly string[]> = { readonly to?: To } & ([
  Repeated<To>,
] extends [never]
  ? unknown
  : { readonly to: Refused<`the target "${Repeated<To>}" is listed more than once`> });

/** What is there twice for sure. `Seen`: the names before, as far as each is known. */
type Repeated<To extends readonly string[], Seen extends string = never> = To extends readonly [
  infer First extends string,
  ...infer Rest extends readonly string[],
]
  ? ([First] extends [Seen] ? First : never) | Repeated<Rest, Seen | OneName<First>>
  : never;

/** The name when it is one: no union, and no text of some form. */
type OneName<Name extends string, All = Name> =
  Record<never, never> extends Record<Name, unknown>
    ? never
    : Name extends unknown
      ? [All] extends [Name]
        ? Name
        : never
      : never;

/** The types of a node. */
export type TypesOf<N> = N extends TypedNode<infer Types> ? Types : never;

/** What others emit to a node. */
export type NodeInputOf<N> = TypesOf<N>["input"];

/** Names that a node may emit to. */
export type TargetOf<N> = TypesOf<N>["target"];
