// Node clients — what the nodes of one task share when they look at invocations of other agents.
//
// Owns: making it when it is first asked for. Leaves to others: what nodes do with agents
// (sub-agents.ts), asking home tasks (client/).

import type { TaskPort } from "../../runtime/task-program.js";
import type { AgentCalls } from "../client/outcome-question.js";
import { OutcomeWaiters } from "../client/outcome-waiters.js";
import { PartitaError } from "../../base/errors.js";
import type { AgentDefinition } from "../declare/definition.js";

export class NodeClients {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  #waiters: OutcomeWaiters | undefined;

  constructor(port: TaskPort, agents: ReadonlyMap<string, AgentDefinition>) {
    this.#port = port;
    this.#agents = agents;
  }

  /** @throws PartitaError AGENT_UNKNOWN */
  calls(agent: string): AgentCalls {
    const definition = this.#agents.get(agent);
    if (definition === undefined) {
      throw new PartitaError("AGENT_UNKNOWN", { agent, known: [...this.#agents.keys()] });
    }
    const port = this.#port.clients;
    this.#waiters ??= new OutcomeWaiters(port);
    return { agent, definition, port, waiters: this.#waiters };
  }
}

/** Which run it is, who is told when what it waits for changes, and the way to other agents. */
export interface RunPlace {
  readonly arrivalNo: number;
  readonly changed: () => void;
  readonly waitsForChild: () => void;
  readonly clients: NodeClients;
}
