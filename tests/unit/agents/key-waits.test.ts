// Nodes that wait while they hold a key. Bugs here would look like a call that never comes back, a
// key that two have at a time, or one that nobody gets any more.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram } from "../../../agents/execution.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";

interface Visit {
  readonly key: string;
  readonly next: readonly string[];
}

/** Visits one key after the other, each while the ones before are held. */
function visiting(reentrant: boolean, log: string[] = []) {
  return agent({
    agents: { visit: agentRef<Visit, string>("visit") },
    entry: "hold",
    result: type<string>(),
    maxRetries: 0,
    nodes: { hold: node({ input: type<Visit>(), key: (visit) => visit.key, reentrant }) },
  }).implement({
    async hold(ctx, { key, next: [next, ...others] }) {
      log.push(`in ${key}`);
      const inner =
        next === undefined ? "" : await ctx.agents.visit.invoke({ key: next, next: others });
      log.push(`out ${key}`);
      ctx.result(key + inner);
    },
  });
}

function cycleOf(error: unknown): readonly string[] | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (PartitaError.is(at, "KEY_DEADLOCK")) return at.details.cycle;
  }
  return undefined;
}

describe("keys and waits — deadlocks", () => {
  it("work that waits for a key which a caller of its own holds is refused at once", async () => {
    for (let seed = 1; seed < 30; seed += 1) {
      const visit = visiting(false);
      const harness = new ProgramHarness({ agents: { visit }, seed });
      const client = clientsOf(harness).agent(visit);
      const begun = await harness.until(client.initiate({ key: "a", next: ["b", "c", "a"] }));
      const failed = harness.until(begun.result());
      const cycle = await failed.then(() => undefined, cycleOf);
      expect(cycle).toHaveLength(4);
      expect(cycle?.[0]).toBe(begun.id);
      // The keys are free again.
      expect(await harness.until(client.invoke({ key: "a", next: ["b", "c"] }))).toBe("abc");
    }
  });

  it("is refused at once when a node calls itself with its own key", async () => {
    const visit = visiting(false);
    const harness = new ProgramHarness({ agents: { visit } });
    const client = clientsOf(harness).agent(visit);
    const failed = harness.until(client.invoke({ key: "a", next: ["a"] }));
    expect(await failed.then(() => undefined, cycleOf)).toHaveLength(2);
  });

  it("waits for others who hold the key, however they nest", async () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const visit = visiting(false);
      const harness = new ProgramHarness({ agents: { visit }, seed });
      const client = clientsOf(harness).agent(visit);
      const calls = ["x", "y", "z"].map((key) => client.invoke({ key, next: ["shared", "last"] }));
      expect(await harness.until(Promise.all(calls))).toEqual([
        "xsharedlast",
        "ysharedlast",
        "zsharedlast",
      ]);
    }
  });

  it("is refused too when the caller begins to wait later", async () => {
    const visit = agent({
      agents: { visit: agentRef<string, string>("visit") },
      entry: "hold",
      result: type<string>(),
      maxRetries: 0,
      nodes: { hold: node({ input: type<string>(), key: () => "one" }) },
    }).implement({
      async hold(ctx, message) {
        if (message === "inner") return ctx.result(message);
        const inner = await ctx.agents.visit.initiate("inner");
        await ctx.sleep(1_000);
        ctx.result(await inner.result());
      },
    });
    for (const awakeWaitingMax of [0, 100]) {
      const program = agentProgram({ awakeWaitingMax });
      const harness = new ProgramHarness({ agents: { visit }, program });
      const failed = harness.until(clientsOf(harness).agent(visit).invoke("outer"));
      expect(await failed.then(() => undefined, cycleOf)).toHaveLength(2);
    }
  });

  it("is refused too when the caller drives the one that it has begun by steps", async () => {
    for (const awakeWaitingMax of [0, 100]) {
      for (let seed = 1; seed < 10; seed += 1) {
        const visit = agent({
          agents: { visit: agentRef<string, string>("visit") },
          entry: "hold",
          result: type<string>(),
          maxRetries: 0,
          nodes: { hold: node({ input: type<string>(), key: () => "one" }) },
        }).implement({
          async hold(ctx, message) {
            if (message === "inner") return ctx.result(message);
            const inner = await ctx.agents.visit.initiate("inner");
            const step = await inner.nextStep();
            ctx.result(step.kind);
          },
        });
        const program = agentProgram({ awakeWaitingMax });
        const harness = new ProgramHarness({ agents: { visit }, program, seed });
        const failed = harness.until(clientsOf(harness).agent(visit).invoke("outer"));
        expect(await failed.then(() => undefined, cycleOf)).toHaveLength(2);
      }
    }
  });

  it("a long cycle comes with its code, its two ends and how many are between", async () => {
    const deep = agent({
      agents: { deep: agentRef<number, string>("deep"), top: agentRef<number, string>("top") },
      entry: "go",
      result: type<string>(),
      maxRetries: 0,
      nodes: { go: node({ input: type<number>() }) },
    }).implement({
      async go(ctx, levels) {
        if (levels > 0) return ctx.result(await ctx.agents.deep.invoke(levels - 1));
        const refused: unknown = await ctx.agents.top
          .invoke(-1)
          .catch((error: Error) => error.cause);
        const details = PartitaError.is(refused, "KEY_DEADLOCK") ? refused.details : undefined;
        ctx.result(`${details?.cycle.length} ${details?.leftOut} ${details?.cycle[0]}`);
      },
    });
    const top = agent({
      agents: { deep: agentRef<number, string>("deep") },
      entry: "hold",
      result: type<string>(),
      maxRetries: 0,
      nodes: { hold: node({ input: type<number>(), key: () => "one" }) },
    }).implement({
      async hold(ctx, levels) {
        ctx.result(await ctx.agents.deep.invoke(levels));
      },
    });
    const harness = new ProgramHarness({ agents: { top, deep } });
    const client = clientsOf(harness).agent(top);
    const short = await harness.until(client.initiate(29));
    expect(await harness.until(short.result())).toBe(`32 0 ${short.id}`);
    const long = await harness.until(client.initiate(500));
    expect(await harness.until(long.result())).toBe(`32 471 ${long.id}`);
  });

  it("one that is begun and not waited for has its turn when the caller is done", async () => {
    const done: string[] = [];
    const visit = agent({
      agents: { visit: agentRef<string, string>("visit") },
      entry: "hold",
      result: type<string>(),
      nodes: { hold: node({ input: type<string>(), key: () => "one" }) },
    }).implement({
      async hold(ctx, message) {
        if (message === "outer") await ctx.agents.visit.initiate("inner");
        done.push(message);
        ctx.result(message);
      },
    });
    const harness = new ProgramHarness({ agents: { visit } });
    await harness.until(clientsOf(harness).agent(visit).invoke("outer"));
    await harness.run();
    expect(done).toEqual(["outer", "inner"]);
  });
});

describe("keys and waits — reentrant nodes", () => {
  it("`reentrant: true` gives up the exclusion while the node waits", async () => {
    for (const awakeWaitingMax of [0, 100]) {
      for (let seed = 1; seed < 20; seed += 1) {
        const visit = visiting(true);
        const program = agentProgram({ awakeWaitingMax });
        const harness = new ProgramHarness({ agents: { visit }, seed, program });
        const client = clientsOf(harness).agent(visit);
        const next = ["b", "a", "b", "a"];
        const calls = [1, 2, 3].map(() => client.invoke({ key: "a", next }));
        expect(await harness.until(Promise.all(calls))).toEqual(["ababa", "ababa", "ababa"]);
      }
    }
  });

  it("has the key again before it goes on", async () => {
    for (const awakeWaitingMax of [0, 100]) {
      for (let seed = 1; seed < 30; seed += 1) {
        let inside = 0;
        let most = 0;
        const busy = async (work: () => Promise<void>): Promise<void> => {
          inside += 1;
          most = Math.max(most, inside);
          await work();
          inside -= 1;
        };
        const turn = agent({
          entry: "hold",
          result: type<string>(),
          nodes: {
            hold: node({ input: type<string>(), key: () => "one", reentrant: true }),
          },
        }).implement({
          async hold(ctx, message) {
            await busy(() => ctx.run("before", async () => {}));
            await ctx.sleep(10);
            await busy(() => ctx.run("after", async () => {}));
            ctx.result(message);
          },
        });
        const program = agentProgram({ awakeWaitingMax });
        const harness = new ProgramHarness({ agents: { turn }, seed, program });
        const client = clientsOf(harness).agent(turn);
        const calls = ["a", "b", "c", "d"].map((message) => client.invoke(message));
        await harness.until(Promise.all(calls));
        expect(most).toBe(1);
      }
    }
  });
});
