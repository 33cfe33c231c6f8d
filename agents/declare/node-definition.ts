// Node definition — one node of a sound agent, as the tasks that run it use it.
//
// Owns: what of a node's declaration is needed at run time, whatever its kind, and its place among
// the scopes. Leaves to others: the agent around it (definition.ts), what is not sound
// (definition-problems.ts).

import { assert } from "../../base/invariant.js";
import { type Schema, validate } from "../../store/schema.js";
import type { DynamicKey } from "../../store/tuple-key.js";
import { type AggregatorDefinition, aggregatorOf } from "./aggregator.js";
import { type NodeKind, nodeOptions } from "./node.js";
import { scopesOf } from "./scopes.js";

/** A schema whatever it is for. */
export type AnySchema = Schema<unknown, unknown>;

/** One node of a sound agent. */
export interface NodeDefinition {
  readonly name: string;
  readonly kind: NodeKind;
  /**
   * What is emitted to it as it is sent: checked, with what a schema fills in or strips.
   * @throws PartitaError SCHEMA_INVALID, SCHEMA_ASYNC, TAG_UNKNOWN
   */
  readonly check: (message: unknown, where: string) => unknown;
  /** Names of the nodes it may emit to, in the order of the declaration. */
  readonly targets: readonly string[];
  /** `undefined` when the node is plain. */
  readonly key: ((message: unknown) => DynamicKey) | undefined;
  /** Whether others of its key run while it waits. */
  readonly reentrant: boolean;
  readonly nodeTimeoutMs: number | undefined;
  /**
   * The scatter whose scope it runs in, the innermost one: `undefined` outside of all scopes. Of a
   * scatter and a gather that is the scope around their own.
   */
  readonly scope: string | undefined;
  /** Of a scatter: the gather that its scope ends in. Of a gather: itself. */
  readonly gather: string | undefined;
  /** Of a scatter and a gather: what the scatter returns must look like; nothing when unsaid. */
  readonly carry: AnySchema | undefined;
  /** Of a gather: how it collects. */
  readonly collect: AggregatorDefinition | undefined;
  /**
   * The user's function; returns a promise or a value, which is the carry of a scatter. The message
   * of a gather is a `GatherMessage`.
   */
  readonly run: (context: unknown, message: unknown) => unknown;
}

/** What a gather's function is run with. */
export interface GatherMessage {
  readonly state: unknown;
  readonly carry: unknown;
}

/** A node as it was declared, once sound. */
export interface DeclaredNode {
  readonly kind: NodeKind;
  readonly [nodeOptions]: unknown;
}

/** The options of all kinds of nodes, once sound. */
interface SoundNode {
  readonly input?: AnySchema;
  readonly to?: readonly string[];
  readonly key?: (message: unknown) => DynamicKey;
  readonly reentrant?: boolean;
  readonly nodeTimeoutMs?: number;
  readonly carry?: AnySchema;
  readonly collect?: unknown;
}

/** A user's function, whatever its node is. */
type NodeFunction = (context: unknown, ...given: readonly unknown[]) => unknown;

/** The nodes of a sound agent, by name, in the order of the declaration. */
export function defineNodes(
  declared: Readonly<Record<string, DeclaredNode>>,
  entry: string,
  functions: Readonly<Record<string, NodeFunction>>,
): ReadonlyMap<string, NodeDefinition> {
  const nodes = new Map(
    Object.entries(declared).map(([name, node]) => {
      // cast: the problems of the agent were looked for, and there are none
      const options = node[nodeOptions] as SoundNode;
      const targets: readonly string[] = Object.freeze([...(options.to ?? [])]);
      return [name, { name, kind: node.kind, targets, options }];
    }),
  );
  const { around, gatherOf } = scopesOf(nodes, entry);
  return new Map(
    Array.from(nodes.values(), ({ name, kind, targets, options }) => {
      const fn = functions[name];
      assert(fn !== undefined, () => `node "${name}" has no function`);
      const collect = aggregatorOf(options.collect);
      const { input, key, reentrant = false, nodeTimeoutMs, carry } = options;
      const definition: NodeDefinition = {
        name,
        kind,
        check: collect?.check ?? ((message, where) => checked(input, message, where)),
        targets,
        key,
        reentrant,
        nodeTimeoutMs,
        scope: around.get(name)?.at(-1),
        gather: kind === "gather" ? name : gatherOf.get(name),
        carry,
        collect,
        run: kind === "gather" ? gathering(fn) : fn,
      };
      return [name, Object.freeze(definition)];
    }),
  );
}

function checked(schema: AnySchema | undefined, message: unknown, where: string): unknown {
  assert(schema !== undefined, "a node that is no gather has a schema");
  return validate(schema, message, where);
}

/** A gather's function takes apart what it is run with. */
function gathering(fn: NodeFunction): NodeDefinition["run"] {
  return (context, message) => {
    // cast: whoever starts a gather makes its message
    const { state, carry } = message as GatherMessage;
    return fn(context, state, carry);
  };
}
