// Nodes that wait while they hold a key. Bugs here would look like a call that never comes back, a
// key that two have at a time, or one that nobody gets any more.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { Invocation } from "../../../agents/client/invocation.js";
import type { ChunkStream } from "../../../agents/client/stream.js";
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

/** `keep` holds the one key while it does what `follow` says with an invocation of `work`. */
function following(
  follow: (child: Invocation<string>) => Promise<string>,
  seed: number,
  { lateMs = 0, pauseMs = 0, isBeside = false } = {},
) {
  const inner: string[] = [];
  const keeps = { keep: agentRef<string, string>("keep") };
  const straight = agent({
    agents: keeps,
    entry: "start",
    result: type<string>(),
    maxRetries: 0,
    nodes: { start: node({ input: type<string>() }) },
  }).implement({
    async start(ctx, message) {
      await ctx.sleep(lateMs);
      await ctx.chunk(message);
      await ctx.sleep(pauseMs);
      ctx.result(await ctx.agents.keep.invoke("inner"));
    },
  });
  const beside = agent({
    agents: keeps,
    entry: "fork",
    result: type<string>(),
    maxRetries: 0,
    nodes: {
      fork: node({ input: type<string>(), to: ["start", "call"] }),
      start: node({ input: type<string>() }),
      call: node({ input: type<string>() }),
    },
  }).implement({
    fork(ctx, message) {
      ctx.emit("start", message);
      ctx.emit("call", message);
    },
    async start(ctx, message) {
      await ctx.sleep(5_000);
      await ctx.chunk(message);
    },
    async call(ctx) {
      ctx.result(await ctx.agents.keep.invoke("inner"));
    },
  });
  const worker = isBeside ? beside : straight;
  const keep = agent({
    agents: { worker },
    entry: "hold",
    result: type<string>(),
    maxRetries: 0,
    nodes: { hold: node({ input: type<string>(), key: () => "one" }) },
  }).implement({
    async hold(ctx, message) {
      if (message === "inner") {
        inner.push(message);
        return ctx.result(message);
      }
      const child = await ctx.agents.worker.initiate(message);
      // Its home has heard of it then.
      await ctx.sleep(1);
      const followed = await follow(child);
      await ctx.sleep(2 * lateMs);
      ctx.result(followed);
    },
  });
  const harness = new ProgramHarness({ agents: { keep, worker }, seed });
  return { harness, client: clientsOf(harness).agent(keep), inner };
}

async function lastOf(stream: ChunkStream): Promise<string> {
  let last = "";
  for await (const { kind } of stream) last = kind;
  return last;
}

describe("keys and waits — streams", () => {
  it("work that is followed to its end by who holds its key is refused", async () => {
    for (let seed = 1; seed < 10; seed += 1) {
      for (const pauseMs of [0, 5_000]) {
        for (const follow of ["stream", "streamAll"] as const) {
          const { harness, client } = following((child) => lastOf(child[follow]("start")), seed, {
            pauseMs,
          });
          const failed = harness.until(client.invoke("outer"));
          expect(await failed.then(() => undefined, cycleOf)).toHaveLength(3);
          expect(await harness.until(client.invoke("inner"))).toBe("inner");
        }
      }
    }
  });

  it("so is the one that is followed, when it waits for that key itself", async () => {
    const again = agent({
      agents: { again: agentRef<string, string>("again") },
      entry: "hold",
      result: type<string>(),
      maxRetries: 0,
      nodes: {
        hold: node({ input: type<string>(), key: () => "one", to: ["end"] }),
        end: node({ input: type<string>() }),
      },
    }).implement({
      async hold(ctx, message) {
        if (message === "inner") return ctx.emit("end", message);
        const child = await ctx.agents.again.initiate("inner");
        await ctx.sleep(1);
        ctx.result(await lastOf(child.stream("end")));
      },
      end: (ctx, message) => ctx.result(message),
    });
    const harness = new ProgramHarness({ agents: { again } });
    const failed = harness.until(clientsOf(harness).agent(again).invoke("outer"));
    expect(await failed.then(() => undefined, cycleOf)).toHaveLength(2);
  });

  it("work beside what is followed has its turn when the holder is done", async () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const follow = (child: Invocation<string>): Promise<string> => lastOf(child.stream("start"));
      const { harness, client, inner } = following(follow, seed, { isBeside: true });
      expect(await harness.until(client.invoke("outer"))).toBe("completed");
      await harness.run();
      expect(inner).toEqual(["inner"]);
    }
  });

  it("so has work behind a chunk after which the holder leaves the stream", async () => {
    const first = async (child: Invocation<string>): Promise<string> => {
      for await (const { kind } of child.streamAll("start")) return kind;
      return "";
    };
    for (let seed = 1; seed < 30; seed += 1) {
      for (const lateMs of [0, 5_000]) {
        const { harness, client, inner } = following(first, seed, { lateMs });
        expect(await harness.until(client.invoke("outer"))).toBe("chunk");
        await harness.run();
        expect(inner).toEqual(["inner"]);
      }
    }
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
