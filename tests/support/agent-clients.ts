// Typed clients of the agents that run in a program harness.

import type { AgentDeclaration } from "../../agents/agent.js";
import { type AgentClient, createAgentClients } from "../../agents/client.js";
import type { ProgramHarness } from "./program-harness.js";

/** Clients on one new thread of the harness. */
export interface HarnessClients {
  readonly thread: number;
  /** The client of an agent of the harness, typed by its declaration. */
  agent<Input, Result>(declared: AgentDeclaration<Input, Result>): AgentClient<Input, Result>;
}

export function clientsOf(harness: ProgramHarness): HarnessClients {
  const port = harness.clientPort();
  const clients = createAgentClients(harness.entries, port);
  return {
    thread: port.thread,
    agent<Input, Result>(declared: AgentDeclaration<Input, Result>) {
      for (const [name, entry] of harness.entries) {
        // cast: a client has the types of its agent's declaration
        if (entry === declared) return clients.get(name) as AgentClient<Input, Result>;
      }
      throw new Error("the harness does not run this agent");
    },
  };
}
