// Keys and those who have led to the work that waits for them, when they begin to wait late, are
// very many, or are at home in another topology. Bugs here would look like a call that never comes
// back, or work that is refused though it would have had its turn.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NeighbourInvocation } from "../../../agents/client/neighbour-client.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { PartitaError } from "../../../base/errors.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { ProgramHarness, type HarnessSettings } from "../../support/program-harness.js";

const plain = { input: type<string>() };
const keyed = { input: type<string>(), key: () => "one" };

function cycleOf(error: unknown): readonly string[] | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (PartitaError.is(at, "KEY_DEADLOCK")) return at.details.cycle;
  }
  return undefined;
}

/** What the one in the middle does with the invocation of `low` that it has begun. */
type Middle = "waits" | "steps" | "follows" | "leaves";

/** `keep` holds the key and begins `middle`, which begins `low`, which wants the key. */
function threeAgents(middle: Middle, pauseMs: number, had: string[] = []) {
  const keep = agent({
    agents: { middle: agentRef<string, string>("middle") },
    entry: "hold",
    result: type<string>(),
    maxRetries: 0,
    nodes: { hold: node(keyed) },
  }).implement({
    async hold(ctx, message) {
      if (message === "inner") return ctx.result(message);
      const child = await ctx.agents.middle.initiate(message);
      ctx.result(await child.result());
    },
  });
  const between = agent({
    agents: { low: agentRef<string, string>("low") },
    entry: "go",
    result: type<string>(),
    maxRetries: 0,
    nodes: { go: node(plain) },
  }).implement({
    async go(ctx, message) {
      const child = await ctx.agents.low.initiate(message);
      await ctx.sleep(pauseMs);
      if (middle === "waits") return ctx.result(await child.result());
      if (middle === "steps") return ctx.result((await child.nextStep()).kind);
      if (middle === "follows") for await (const { kind } of child.streamAll("want")) void kind;
      ctx.result("left");
    },
  });
  const low = agent({
    agents: { keep: agentRef<string, string>("keep") },
    entry: "want",
    result: type<string>(),
    maxRetries: 0,
    nodes: { want: node(plain) },
  }).implement({
    async want(ctx) {
      const inner = await ctx.agents.keep.invoke("inner");
      had.push(inner);
      ctx.result(inner);
    },
  });
  return { keep, middle: between, low };
}

/** Crashes a task now and then until there is an answer. */
async function throughCrashes<T>(harness: ProgramHarness, answer: Promise<T>): Promise<T> {
  let over = false;
  const settled = answer.finally(() => {
    over = true;
  });
  settled.catch(() => {});
  for (let steps = 1; !over && steps < 20_000; steps += 1) {
    await harness.step();
    if (steps % 97 === 0 && steps < 2_000)
      harness.crash(Math.floor(steps / 97) % harness.taskCount);
  }
  expect(over).toBe(true);
  return await settled;
}

function harnessOf(agents: ReturnType<typeof threeAgents>, settings: Partial<HarnessSettings>) {
  const harness = new ProgramHarness({ agents, ...settings });
  return { harness, keep: clientsOf(harness).agent(agents.keep) };
}

describe("keys and chains of callers", () => {
  it.each(["waits", "steps", "follows"] as const)(
    "who has begun the caller of such work, and %s later, is found",
    async (middle) => {
      for (const pauseMs of [0, 10, 3_600_000]) {
        for (let seed = 1; seed < 10; seed += 1) {
          const program = agentProgram({ awakeWaitingMax: seed % 2 === 0 ? 0 : 100 });
          const agents = threeAgents(middle, pauseMs);
          const { harness, keep } = harnessOf(agents, { seed, program });
          const failed = harness.until(keep.invoke("outer"));
          expect(await failed.then(() => undefined, cycleOf)).toHaveLength(4);
          expect(await harness.until(keep.invoke("inner"))).toBe("inner");
        }
      }
    },
  );

  it("is found too when tasks die meanwhile", async () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const { harness, keep } = harnessOf(threeAgents("waits", 10), { seed });
      const { id } = await harness.until(keep.initiate("outer"));
      const ended = async (): Promise<unknown> => {
        for (;;) {
          try {
            return await keep.get(id).result();
          } catch (error) {
            if (!PartitaError.is(error, "TASK_EXITED")) return error;
          }
        }
      };
      expect(cycleOf(await throughCrashes(harness, ended()))).toHaveLength(4);
    }
  });

  it("work of one that nobody waits for has its turn when the holder is done", async () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const had: string[] = [];
      const agents = threeAgents("leaves", 5_000, had);
      const { harness, keep } = harnessOf(agents, { seed });
      expect(await harness.until(keep.invoke("outer"))).toBe("left");
      await harness.run();
      expect(had).toEqual(["inner"]);
    }
  });

  it("one among more callers than a message can carry is found", async () => {
    const keep = agent({
      agents: { deep: agentRef<number, string>("deep") },
      entry: "hold",
      result: type<string>(),
      maxRetries: 0,
      nodes: { hold: node({ input: type<number>(), key: () => "one" }) },
    }).implement({
      async hold(ctx, levels) {
        ctx.result(levels < 0 ? "inner" : await ctx.agents.deep.invoke(levels));
      },
    });
    const deep = agent({
      agents: { deep: agentRef<number, string>("deep"), keep: agentRef<number, string>("keep") },
      entry: "go",
      result: type<string>(),
      maxRetries: 0,
      nodes: { go: node({ input: type<number>() }) },
    }).implement({
      async go(ctx, levels) {
        if (levels > 0) return ctx.result(await ctx.agents.deep.invoke(levels - 1));
        const refused: unknown = await ctx.agents.keep.invoke(-1).catch((error: Error) => error);
        const { cause } = refused instanceof Error ? refused : {};
        const details = PartitaError.is(cause, "KEY_DEADLOCK") ? cause.details : undefined;
        ctx.result(`${details?.cycle.length} ${details?.leftOut} ${details?.cycle[0]}`);
      },
    });
    const harness = new ProgramHarness({ agents: { keep, deep } });
    const long = await harness.until(clientsOf(harness).agent(keep).initiate(1_800));
    expect(await harness.until(long.result())).toBe(`32 1771 ${long.id}`);
  });

  it("many that wait for the key of a caller who does not wait for them stay in line", async () => {
    const done: string[] = [];
    const keep = agent({
      agents: { keep: agentRef<string, string>("keep"), slow: agentRef<string, string>("slow") },
      entry: "hold",
      result: type<string>(),
      maxRetries: 0,
      nodes: { hold: node(keyed) },
    }).implement({
      async hold(ctx, message) {
        done.push(message);
        if (message !== "outer") return ctx.result(message);
        const slow = await ctx.agents.slow.initiate("slow");
        for (let i = 0; i < 200; i += 1) await ctx.agents.keep.initiate(`${i}`);
        ctx.result(await slow.result());
      },
    });
    const slow = agent({
      entry: "go",
      result: type<string>(),
      nodes: { go: node(plain) },
    }).implement({
      async go(ctx, message) {
        await ctx.sleep(60_000);
        ctx.result(message);
      },
    });
    const harness = new ProgramHarness({ agents: { keep, slow } });
    expect(await harness.until(clientsOf(harness).agent(keep).invoke("outer"))).toBe("slow");
    await harness.run();
    expect(done).toHaveLength(201);
  });
});

/** How somebody waits for an invocation of another topology. */
type Way = "invoke" | "result" | "nextStep" | "streamAll";

interface Neighbour {
  invoke(input: string): Promise<string>;
  initiate(input: string): Promise<NeighbourInvocation<string>>;
}

async function waitFor(other: Neighbour, way: Way, message: string): Promise<string> {
  if (way === "invoke") return await other.invoke(message);
  const child = await other.initiate(message);
  if (way === "result") return await child.result();
  if (way === "nextStep") return (await child.nextStep()).kind;
  for await (const { kind } of child.streamAll("work")) void kind;
  return "left";
}

/** Two topologies, whose agents wait for each other. */
function twoTopologies(name: string, down: Way, up: Way) {
  const keep = agent({
    agents: { other: agentRef<string, string>(`${name}-there`, "other") },
    entry: "work",
    result: type<string>(),
    maxRetries: 0,
    nodes: { work: node(keyed) },
  }).implement({
    async work(ctx, message) {
      if (message === "inner") return ctx.result(message);
      ctx.result(await waitFor(ctx.agents.other, down, message));
    },
  });
  const other = agent({
    agents: { keep: agentRef<string, string>(`${name}-here`, "keep") },
    entry: "work",
    result: type<string>(),
    maxRetries: 0,
    nodes: { work: node(plain) },
  }).implement({
    async work(ctx) {
      ctx.result(await waitFor(ctx.agents.keep, up, "inner"));
    },
  });
  return {
    here: topology(`${name}-here`, import.meta.url, { agents: { keep } }),
    there: topology(`${name}-there`, import.meta.url, { agents: { other } }),
  };
}

describe("keys and chains of callers — through another topology", () => {
  it.each([
    ["invoke", "invoke"],
    ["result", "invoke"],
    ["invoke", "result"],
    ["result", "result"],
    ["nextStep", "invoke"],
    ["streamAll", "nextStep"],
    ["result", "streamAll"],
  ] as const)("a holder that waits by %s, for one that waits by %s, is found", async (down, up) => {
    const { here, there } = twoTopologies(`keys-${down}-${up}`, down, up);
    await inlineCluster(there);
    const runtime = await inlineCluster(here);
    const failed = runtime.agent("keep").invoke("outer");
    expect(await failed.then(() => undefined, cycleOf)).toHaveLength(3);
    expect(await runtime.agent("keep").invoke("inner")).toBe("inner");
  });
});
