// Order of keyed nodes under every interleaving that seeds find: clients call without awaiting,
// nodes wait for store operations, messages between tasks arrive in any order that keeps each
// stream's.
//
// What must hold:
//   - one invocation at a time per (node, key), and its completion before the next one's start;
//   - one client's invocations for one key of the entry node in the order of the calls;
//   - what invocations of one key emit to another key in the order of these invocations.
// Each promise has a broken twin that the same check must catch.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { agent } from "../../agents/agent.js";
import { type AgentClient, createAgentClients } from "../../agents/client/client.js";
import { agentProgram } from "../../agents/execution.js";
import { decodeAgentMessage, encodeRun } from "../../agents/wire/message.js";
import { node } from "../../agents/declare/node.js";
import type { ProgramClientPort, TaskProgramFactory } from "../../runtime/task-program.js";
import { keyValueStore } from "../../store/declaration.js";
import { string } from "../../store/key.js";
import { type } from "../../store/schema.js";
import { ProgramHarness, settled } from "../support/program-harness.js";
import { StoreContent } from "../support/program-store.js";
import { check, scaledRuns } from "../support/property.js";
import { seededRandom } from "../../testing/seeded-random.js";

/** The n-th call of a client about an airport, on its way to another. */
type Event = { client: number; n: number; airport: string; to: string };

const counts = keyValueStore({ key: string, value: type<number>() });
const clientCount = 2;
const callCount = 20;
const airports = ["ATL", "JFK", "LAX"];

interface Observed {
  readonly running: Map<string, Event>;
  readonly finished: { readonly node: string; readonly key: string; readonly event: Event }[];
  readonly violations: string[];
}

/** An agent of two keyed nodes: `airport`, and `route`, to which airports emit. */
function observedAgent(observed: Observed) {
  const during = async (name: string, key: string, event: Event, work: () => Promise<unknown>) => {
    const place = `${name} ${key}`;
    const other = observed.running.get(place);
    if (other !== undefined) observed.violations.push(`${place} is entered twice`);
    observed.running.set(place, event);
    await work();
    observed.running.delete(place);
    observed.finished.push({ node: name, key, event });
  };
  return agent({
    stores: { counts },
    entry: "airport",
    result: type<null>(),
    nodes: {
      airport: node({ input: type<Event>(), to: ["route"], key: (event) => event.airport }),
      route: node({ input: type<Event>(), key: (event) => `${event.airport}-${event.to}` }),
    },
  }).implement({
    async airport(ctx, event) {
      await during("airport", event.airport, event, async () => {
        const count = await ctx.stores.counts.get(event.airport, 0);
        await ctx.stores.counts.put(event.airport, count + 1);
      });
      ctx.emit("route", event);
    },
    async route(ctx, event) {
      const route = `${event.airport}-${event.to}`;
      await during("route", route, event, async () => {
        const count = await ctx.stores.counts.get(route, 0);
        await ctx.stores.counts.put(route, count + 1);
      });
      ctx.result(null);
    },
  });
}

interface Variant {
  readonly program?: TaskProgramFactory;
  readonly port?: (port: ProgramClientPort, random: () => number) => ProgramClientPort;
}

/** What went wrong with one interleaving; nothing when order held. */
async function violationsOf(seed: number, variant: Variant = {}): Promise<readonly string[]> {
  const observed: Observed = { running: new Map(), finished: [], violations: [] };
  const flights = observedAgent(observed);
  const content = new StoreContent();
  const random = seededRandom(seed);
  const harness = new ProgramHarness({
    agents: { flights },
    stores: { counts: { declared: counts, content } },
    tasks: 1 + Math.floor(random() * 4),
    seed,
    ...(variant.program === undefined ? {} : { program: variant.program }),
  });
  const clients = Array.from({ length: clientCount }, () => {
    const port = harness.clientPort();
    const made = createAgentClients(harness.entries, variant.port?.(port, random) ?? port);
    // cast: the client of the one agent
    return made.get("flights") as AgentClient<Event, null>;
  });
  const pick = (): string => airports[Math.floor(random() * airports.length)] ?? "ATL";
  const calls: Promise<null>[] = [];
  for (let n = 0; n < callCount; n += 1) {
    for (const [client, agentClient] of clients.entries()) {
      calls.push(agentClient.invoke({ client, n, airport: pick(), to: pick() }));
    }
    if (random() < 0.2) await harness.step();
  }
  await harness.until(Promise.all(calls));
  await harness.run();
  return [
    ...observed.violations,
    ...orderViolations(observed),
    ...countViolations(observed, content),
  ];
}

/** Calls of one client about one airport, seen at any one key, must rise. */
function orderViolations({ finished }: Observed): readonly string[] {
  const last = new Map<string, number>();
  return finished.flatMap(({ node: name, key, event }) => {
    const place = `${name} ${key}: client ${event.client}`;
    const before = last.get(place) ?? -1;
    last.set(place, event.n);
    return before < event.n ? [] : [`${place}: ${event.n} after ${before}`];
  });
}

/** Read and put of one key never interleave, so no count is lost. */
function countViolations({ finished }: Observed, content: StoreContent): readonly string[] {
  const expected = new Map<string, number>();
  for (const { key } of finished) expected.set(key, (expected.get(key) ?? 0) + 1);
  return [...expected].flatMap(([key, count]) =>
    content.get(key) === count ? [] : [`${key} counts ${content.get(key)} of ${count}`],
  );
}

/**
 * A gate that lets the next one in before the completion: rows are queued as if they had no key.
 */
const gateOpenTwin: TaskProgramFactory = (port, entries) => {
  const program = agentProgram()(port, entries);
  const { apply } = program;
  program.apply = (turn, bytes) => {
    const message = decodeAgentMessage(bytes);
    if (message.kind !== "run") return apply.call(program, turn, bytes);
    return apply.call(program, turn, encodeRun({ ...message, key: undefined }));
  };
  return program;
};

/** A client whose requests leave when they like. */
function unorderedTwin(port: ProgramClientPort, random: () => number): ProgramClientPort {
  return {
    ...port,
    async request(task, message) {
      for (let turns = Math.floor(random() * 3); turns > 0; turns -= 1) await settled();
      return await port.request(task, message);
    },
  };
}

describe("agents — order of keyed nodes", () => {
  it("holds under any interleaving of delivery", { timeout: 60_000 }, async () => {
    await check(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), async (seed) => {
        expect(await violationsOf(seed)).toEqual([]);
      }),
      { runs: 40 },
    );
  });

  it.each([
    ["a gate that opens before the completion", { program: gateOpenTwin }, /entered twice/],
    ["a client whose requests overtake each other", { port: unorderedTwin }, /after/],
  ])("is broken by %s, and the check says so", async (_what, variant, expected) => {
    const found: string[] = [];
    for (let seed = 1; seed <= scaledRuns(10); seed += 1) {
      found.push(...(await violationsOf(seed, variant)));
    }
    expect(found.join("\n")).toMatch(expected);
  });
});
