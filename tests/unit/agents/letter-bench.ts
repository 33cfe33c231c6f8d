// Letter bench — an agent in a harness that gives up its messages as long as a test wants it to.

import { expect } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { AgentClient } from "../../../agents/client/client.js";
import { agentProgram, type ProgramBounds } from "../../../agents/execution.js";
import { node } from "../../../agents/declare/node.js";
import type { TaskPort } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { clientsOf, type HarnessClients } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

export interface Work {
  readonly key: string;
  readonly n: number;
}

export interface LetterBench {
  readonly harness: ProgramHarness;
  readonly clients: HarnessClients;
  readonly client: AgentClient<Work, number>;
  /** In the order of the runs. */
  readonly log: string[];
  /** Whether runs throw. */
  poison: boolean;
}

/** An agent whose plain node passes on to a keyed one, which throws as long as there is poison. */
export function letterBench(
  settings: {
    readonly tasks?: number;
    readonly seed?: number;
    /** Is told the port of every task. */
    readonly onPort?: (port: TaskPort) => void;
  } = {},
  bounds: Partial<ProgramBounds> = {},
): LetterBench {
  const log: string[] = [];
  const work = agent({
    entry: "first",
    result: type<number>(),
    maxRetries: 1,
    nodes: {
      first: node({ input: type<Work>(), to: ["second"] }),
      second: node({ input: type<Work>(), key: ({ key, n }) => [key, n % 7] }),
    },
  }).implement({
    first: (ctx, message) => ctx.emit("second", message),
    second(ctx, { key, n }) {
      log.push(`${key}${n} ${ctx.nodeInvocationId}`);
      if (made.poison) throw new Error(`no ${n}`);
      ctx.result(n);
    },
  });
  const harness = new ProgramHarness({
    agents: { work },
    ...settings,
    program: (port, entries) => {
      settings.onPort?.(port);
      return agentProgram(bounds)(port, entries);
    },
  });
  const clients = clientsOf(harness);
  const made: LetterBench = { harness, clients, client: clients.agent(work), log, poison: true };
  return made;
}

/** Invokes until all have failed; their ids. */
export async function failAll(
  { harness, client }: LetterBench,
  count: number,
): Promise<readonly string[]> {
  const begun = Promise.all(
    Array.from({ length: count }, (_, n) => client.initiate({ key: "k", n })),
  );
  const ids = (await harness.until(begun)).map(({ id }) => id);
  for (const id of ids) {
    await expect(harness.until(client.get(id).result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
    });
  }
  return ids;
}
