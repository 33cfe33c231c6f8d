// Typed clients of the agents that run in a program harness.

import type { AgentDeclaration } from "../../agents/agent.js";
import { type AgentClient, createAgentClients } from "../../agents/client/client.js";
import {
  createDeadLetterClient,
  type DeadLetter,
  type DeadLetterClient,
  type DeadLetterListOptions,
} from "../../agents/client/dead-letter-client.js";
import { OutcomeWaiters } from "../../agents/client/outcome-waiters.js";
import type { ProgramHarness } from "./program-harness.js";

/** Clients on one new thread of the harness. */
export interface HarnessClients {
  readonly thread: number;
  readonly deadLetters: DeadLetterClient;
  /** The client of an agent of the harness, typed by its declaration. */
  agent<Input, Result>(declared: AgentDeclaration<Input, Result>): AgentClient<Input, Result>;
}

export function clientsOf(harness: ProgramHarness): HarnessClients {
  const port = harness.clientPort();
  const waiters = new OutcomeWaiters(port);
  const clients = createAgentClients(harness.entries, port, waiters);
  return {
    thread: port.thread,
    deadLetters: createDeadLetterClient(harness.entries.keys(), port, waiters),
    agent<Input, Result>(declared: AgentDeclaration<Input, Result>) {
      for (const [name, entry] of harness.entries) {
        // cast: a client has the types of its agent's declaration
        if (entry === declared) return clients.get(name) as AgentClient<Input, Result>;
      }
      throw new Error("the harness does not run this agent");
    },
  };
}

/** The dead letters that a client of the harness lists. */
export async function lettersOf(
  harness: ProgramHarness,
  options?: DeadLetterListOptions,
): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  const iterator = clientsOf(harness).deadLetters.list(options)[Symbol.asyncIterator]();
  for (;;) {
    const next = await harness.until(Promise.resolve(iterator.next()));
    if (next.done === true) return letters;
    letters.push(next.value);
  }
}
