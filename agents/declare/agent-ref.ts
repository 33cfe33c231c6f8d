// Agent ref — how one agent names another that it calls.
//
// By value when the other is declared before it; by name when it is declared later, or is the agent
// itself. Owns: the reference and the types that it shares with declarations. Leaves to others:
// whether the topology has such an agent (definition-problems.ts), calling it (client.ts).

import type { Topology } from "../../runtime/topology.js";
import type { TopologyParts } from "../../runtime/topology-parts.js";
import type { NameIn } from "./store-ref.js";

declare const agentTypes: unique symbol;
const agentRefBrand: unique symbol = Symbol.for("partita.agentRef");

/** An agent whatever its types: what a shape takes under `agents`. */
export interface AnyAgent {
  readonly kind: "agent" | "agentRef";
}

/** What can be called as an agent: `Input` invokes it, `Result` comes back. */
export interface TypedAgent<Input, Result> extends AnyAgent {
  /** Types only; never set. */
  readonly [agentTypes]?: { readonly input: Input; readonly result: Result };
}

/** An agent of the same topology by its name. */
export interface AgentRef<Input, Result> extends TypedAgent<Input, Result> {
  readonly kind: "agentRef";
  readonly name: string;
  readonly [agentRefBrand]: true;
}

/** An agent of another launched topology of the process. */
export interface NeighbourAgentRef<Input, Result> extends AgentRef<Input, Result> {
  /** That topology, or its name. */
  readonly topology: Topology | string;
}

/** The reference to an agent of a topology with these parts. */
export type NeighbourAgentRefOf<Parts extends TopologyParts, Name> = Parts extends {
  readonly agents: infer A;
}
  ? Name extends keyof A
    ? A[Name] extends TypedAgent<infer I, infer R>
      ? NeighbourAgentRef<I, R>
      : never
    : never
  : never;

/**
 * Refers to an agent of the same topology by the name it has there, with the types it is said to
 * have: for an agent that calls itself, or one that is declared later.
 *
 *     const fib = agent({ agents: { fib: agentRef<number, number>("fib") }, … })
 *
 * With two arguments, to an agent of another topology that is launched in this process: by that
 * topology, which gives the types, or by its name, with the types it is said to have.
 *
 *     agents: { pay: agentRef(bank, "transfer"), fib: agentRef<number, number>("math", "fib") }
 */
export function agentRef<Input, Result>(name: string): AgentRef<Input, Result>;
export function agentRef<Input, Result>(
  topology: string,
  name: string,
): NeighbourAgentRef<Input, Result>;
export function agentRef<Parts extends TopologyParts, const Name extends NameIn<Parts, "agents">>(
  topology: Topology<Parts>,
  name: Name,
): NeighbourAgentRefOf<Parts, Name>;
export function agentRef(first: string | Topology, second?: string): AgentRef<unknown, unknown> {
  const brand = { kind: "agentRef" as const, [agentRefBrand]: true as const };
  // An agent of the same topology has one argument, its name.
  if (second === undefined) return Object.freeze({ ...brand, name: String(first) });
  return Object.freeze({ ...brand, name: second, topology: first });
}

/** Whether something was made by `agentRef()`. */
export function isAgentRef(value: unknown): value is AgentRef<unknown, unknown> {
  return typeof value === "object" && value !== null && agentRefBrand in value;
}

/** Whether something refers to an agent of another topology. */
export function isNeighbourAgentRef(value: unknown): value is NeighbourAgentRef<unknown, unknown> {
  return isAgentRef(value) && "topology" in value;
}
