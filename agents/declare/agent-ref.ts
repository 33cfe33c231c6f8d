// Agent ref — how one agent names another that it calls.
//
// By value when the other is declared before it; by name when it is declared later, or is the agent
// itself. Owns: the reference and the types that it shares with declarations. Leaves to others:
// whether the topology has such an agent (definition-problems.ts), calling it (client.ts).

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

/** An agent by its name. */
export interface AgentRef<Input, Result> extends TypedAgent<Input, Result> {
  readonly kind: "agentRef";
  readonly name: string;
  readonly [agentRefBrand]: true;
}

/**
 * Refers to an agent of the same topology by the name it has there, with the types it is said to
 * have: for an agent that calls itself, or one that is declared later.
 *
 *     const fib = agent({ agents: { fib: agentRef<number, number>("fib") }, … })
 */
export function agentRef<Input, Result>(name: string): AgentRef<Input, Result> {
  return Object.freeze({ kind: "agentRef", name, [agentRefBrand]: true as const });
}

/** Whether something was made by `agentRef()`. */
export function isAgentRef(value: unknown): value is AgentRef<unknown, unknown> {
  return typeof value === "object" && value !== null && agentRefBrand in value;
}
