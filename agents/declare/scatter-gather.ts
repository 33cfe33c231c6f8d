// Scatter and gather — the declarations of the two ends of a scope.
//
// A scatter opens a scope; what it emits, and all that descends from that, is inside, up to the
// one gather of the scope. The gather collects what is emitted to it with an aggregator, and its
// function runs once, when everything inside has finished.
// Owns: the values that `scatter()` and `gather()` return. Leaves to others: how inputs are folded
// (aggregator.ts), whether scopes are sound (scope-problems.ts), what runs (agent.ts).

import type { Schema } from "../../store/schema.js";
import type { Aggregator } from "./aggregator.js";
import { type CheckedTargets, nodeOptions, type TypedNode } from "./node.js";

/**
 * The node that opens a scope. `Carry` is what its function returned, as the gather gets it;
 * `Returned` is what the function returns: it differs when the schema transforms.
 */
export interface ScatterDeclaration<
  Message,
  Target extends string = never,
  Input = Message,
  Carry = undefined,
  Returned = Carry,
> extends TypedNode<{
    readonly message: Message;
    readonly target: Target;
    readonly input: Input;
    readonly carry: Carry;
    readonly returned: Returned;
  }> {
  readonly kind: "scatter";
}

/** The node that a scope ends in. `Input` is what is emitted to it, `State` what becomes of it. */
export interface GatherDeclaration<Input, State, Target extends string = never, Carry = undefined>
  extends TypedNode<{
    readonly message: State;
    readonly target: Target;
    readonly input: Input;
    readonly carry: Carry;
    readonly returned: undefined;
  }> {
  readonly kind: "gather";
}

/** What `scatter()` is given. */
export interface ScatterOptions<Message, Target extends string, Input, Carry, Returned> {
  /** What a message must look like: checked when it is emitted; what the schema returns is sent. */
  readonly input: Schema<Message, Input>;
  /** Names of the nodes that its scope begins with. */
  readonly to: readonly Target[];
  /** What its function returns: kept, and the third argument of the gather. Default: nothing. */
  readonly carry?: Schema<Carry, Returned>;
  /** As of `node()`. */
  readonly nodeTimeoutMs?: number;
}

/** What `gather()` is given. */
export interface GatherOptions<Input, State, Target extends string, Carry> {
  /** How what is emitted to it becomes one state: `list(type<number>())`, `sum`, … */
  readonly collect: Aggregator<Input, State>;
  /** What the scatter of its scope returns: it has been checked there. Default: nothing. */
  readonly carry?: Schema<Carry, unknown>;
  /** Names of the nodes it may emit to: outside of its scope, its own scatter among them. */
  readonly to?: readonly Target[];
  /** As of `node()`. */
  readonly nodeTimeoutMs?: number;
}

/**
 * Declares a scatter: a node whose emits open a scope. It runs on the home task of the invocation.
 *
 *     split: scatter({ input: type<string[]>(), to: ["count"], carry: type<number>() })
 */
export function scatter<
  Message,
  Input = Message,
  const Target extends string = never,
  Carry = undefined,
  Returned = Carry,
  const To extends readonly Target[] = readonly Target[],
>(
  options: ScatterOptions<Message, Target, Input, Carry, Returned> & CheckedTargets<To>,
): ScatterDeclaration<Message, Target, Input, Carry, Returned> {
  return Object.freeze({ kind: "scatter", [nodeOptions]: options });
}

/**
 * Declares a gather: the node that a scope ends in. Its function gets the state that the
 * aggregator has made, and what the scatter returned; it runs on the home task of the invocation.
 *
 *     total: gather({ collect: list(type<number>()), carry: type<number>() })
 */
export function gather<
  Input,
  State,
  Carry = undefined,
  const Target extends string = never,
  const To extends readonly Target[] = readonly Target[],
>(
  options: GatherOptions<Input, State, Target, Carry> & CheckedTargets<To>,
): GatherDeclaration<Input, State, Target, Carry> {
  return Object.freeze({ kind: "gather", [nodeOptions]: options });
}
