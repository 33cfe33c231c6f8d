// Agent — the declaration of a graph of nodes, in two steps: its shape first, its functions second.
//
// The shape names nodes, edges and stores; `implement` then types every function by it, so
// cycles and forward edges need no annotations.
// Owns: the builder and the immutable declaration that a topology holds. Leaves to others:
// inference (shape.ts), what is wrong with it (definition-problems.ts), running it
// (execution.ts), calling it (client.ts).

import { Flowchart } from "../base/flowchart.js";
import type {
  ProgramEntry,
  TopologyNames,
  TopologyProblem,
  TopologyReference,
} from "../runtime/task-program.js";
import { drawAgent } from "./declare/agent-diagram.js";
import type { TypedAgent } from "./declare/agent-ref.js";
import {
  type AgentDefinition,
  type AgentParts,
  agentDefinition,
  defineAgent,
  referencesOf,
  shapeOf,
} from "./declare/definition.js";
import { agentProblems } from "./declare/definition-problems.js";
import { agentProgram } from "./execution.js";
import type {
  AgentInputOf,
  AgentResultOf,
  AgentShape,
  CheckedShape,
  NodeFunctions,
} from "./declare/shape.js";

/** An agent: what `topology()` takes under `agents`. `Input` invokes it, `Result` comes back. */
export interface AgentDeclaration<Input, Result> extends TypedAgent<Input, Result>, ProgramEntry {
  readonly kind: "agent";
  /**
   * A drawing of its graph as Mermaid text, each scope a group: for a README or
   * https://mermaid.live.
   */
  toMermaid(): string;
}

/** A shape whose functions are still to come. */
export interface AgentBuilder<A extends AgentShape> {
  /**
   * Gives each node its function and returns the finished declaration. The builder is not
   * changed: it can be implemented again, for a test for example.
   */
  implement(functions: NodeFunctions<A>): AgentDeclaration<AgentInputOf<A>, AgentResultOf<A>>;
}

/**
 * Declares an agent. An invocation begins at `entry`; its nodes emit to each other and end it
 * with a result, or it fails. Nothing is checked here at run time: `topology()` reports all
 * problems of all of its agents at once, with TOPOLOGY_INVALID.
 *
 *     const transfer = agent({
 *       stores: { balances },
 *       nodes: {
 *         debit: node({ input: type<Transfer>(), to: ["credit"], key: (t) => t.from }),
 *         credit: node({ input: type<Transfer>(), key: (t) => t.to }),
 *       },
 *       entry: "debit",
 *       result: type<Receipt>(),
 *     }).implement({
 *       async debit(ctx, t) { … ctx.emit("credit", t); },
 *       async credit(ctx, t) { … ctx.result({ ok: true }); },
 *     });
 */
export function agent<const A extends AgentShape>(shape: A & CheckedShape<A>): AgentBuilder<A> {
  return Object.freeze({
    implement: (functions: NodeFunctions<A>) =>
      Object.freeze(new DeclaredAgent({ shape, functions })),
  });
}

class DeclaredAgent implements AgentDeclaration<unknown, unknown> {
  readonly kind = "agent";
  readonly program: ProgramEntry["program"] = agentProgram();
  readonly #parts: AgentParts;
  #definition: AgentDefinition | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  get [agentDefinition](): AgentDefinition | undefined {
    return this.#definition;
  }

  problems(path: string, names: TopologyNames): readonly TopologyProblem[] {
    const problems = agentProblems(this.#parts, path, names);
    if (problems.length > 0) return problems;
    const definition = defineAgent(this.#parts, names);
    if (this.#definition !== undefined && !isSameShape(this.#definition, definition)) {
      return [namesDiffer(path, this.#definition)];
    }
    this.#definition = definition;
    return [];
  }

  shape(names: TopologyNames): unknown {
    return shapeOf(defineAgent(this.#parts, names));
  }

  draw(chart: Flowchart): void {
    drawAgent(chart, this.#parts);
  }

  references(names: TopologyNames): readonly TopologyReference[] {
    return referencesOf(defineAgent(this.#parts, names));
  }

  toMermaid(): string {
    const chart = new Flowchart();
    this.draw(chart);
    return chart.text();
  }
}

function isSameShape(one: AgentDefinition, other: AgentDefinition): boolean {
  return JSON.stringify(shapeOf(one)) === JSON.stringify(shapeOf(other));
}

/** A declaration is bound to names once: a task finds its stores by them. */
function namesDiffer(path: string, bound: AgentDefinition): TopologyProblem {
  return {
    code: "NAMES_DIFFER",
    path,
    message: "another topology declares this agent, but calls what it refers to differently",
    valid: [...bound.stores.values(), ...bound.compute.values()],
  };
}
