// Nodes that follow or ask other invocations and do nothing else meanwhile. Bugs here would look
// like parents that hold the places which their children need, a node that is counted as idle while
// it works, or a drain that leaves a follower behind.
import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { ChunkStream } from "../../../agents/client/stream.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { agentProgram, type ProgramBounds } from "../../../agents/execution.js";
import { encodeMessage } from "../../../agents/wire/wire-field.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";

interface Child {
  readonly id: string;
  result(): Promise<string>;
  stream(node: string): ChunkStream;
  streamAll(node: string): ChunkStream;
  fork(changes: Record<string, unknown>): Promise<string>;
  trace(): AsyncIterable<{ readonly nodeInvocationId: string }>;
}

interface Context {
  readonly agents: {
    readonly write: { initiate(word: string): Promise<Child> };
    readonly far: { get(id: string): { nextStep(): Promise<{ readonly kind: string }> } };
  };
  chunk(value: unknown): Promise<void>;
  run<T>(name: string, fn: () => Promise<T>): Promise<T>;
  result(value: string): void;
}

/** One task; `parent` begins `write`, whose first node streams its word letter by letter. */
function bench(
  act: (ctx: Context, word: string) => Promise<void>,
  bounds: Partial<ProgramBounds> = {},
  { seed = 1, neighbour = async (): Promise<Uint8Array> => new Uint8Array() } = {},
) {
  const hold = latch();
  /** Children that have begun. */
  const log: string[] = [];
  const write = agent({
    entry: "write",
    result: type<string>(),
    nodes: {
      write: node({ input: type<string>(), to: ["finish"] }),
      finish: node({ input: type<string>() }),
    },
  }).implement({
    async write(ctx, word) {
      log.push(word);
      for (const letter of word) await ctx.chunk(letter);
      if (word === "held") await hold.opened;
      ctx.emit("finish", word);
    },
    finish: (ctx, word) => ctx.result(word.toUpperCase()),
  });
  const parent = agent({
    agents: { write, far: agentRef<string, string>("elsewhere", "far") },
    entry: "act",
    result: type<string>(),
    maxRetries: 0,
    nodes: { act: node({ input: type<string>() }) },
  }).implement({ act });
  const program = agentProgram({ runningNodesMax: 1, ...bounds });
  const agents = { parent, write };
  const harness = new ProgramHarness({ agents, tasks: 1, program, seed, neighbour });
  const client = clientsOf(harness).agent(parent);
  const all = (words: readonly string[]): Promise<readonly string[]> =>
    harness.until(Promise.all(words.map((word) => client.invoke(word))));
  return { harness, client, all, hold, log };
}

async function told(stream: ChunkStream): Promise<string> {
  let text = "";
  for await (const event of stream) if (event.kind === "chunk") text += String(event.value);
  return text;
}

const words = ["one", "two", "three", "four"];

describe("nodes that look at other invocations — places", () => {
  it("a node that follows a stream of its child holds no place that the child needs", async () => {
    const ways: readonly ((child: Child) => Promise<string>)[] = [
      (child) => told(child.stream("write")),
      (child) => told(child.streamAll("write")),
      async (child) => {
        let text = "";
        await child.stream("write").forEach((event) => {
          if (event.kind === "chunk") text += String(event.value);
        });
        return text;
      },
    ];
    for (const way of ways) {
      for (let seed = 1; seed < 10; seed += 1) {
        const { all } = bench(
          async (ctx, word) => ctx.result(await way(await ctx.agents.write.initiate(word))),
          {},
          { seed },
        );
        expect(await all(words)).toEqual(words);
      }
    }
  });

  it("nor does one that waits for the result as well, and passes chunks on", async () => {
    for (const awakeWaitingMax of [0, 1, 100]) {
      for (let seed = 1; seed < 10; seed += 1) {
        const { all } = bench(
          async (ctx, word) => {
            const child = await ctx.agents.write.initiate(word);
            const result = child.result();
            let text = "";
            for await (const event of child.stream("write")) {
              if (event.kind !== "chunk") continue;
              await ctx.chunk(event.value);
              text += String(event.value);
            }
            ctx.result(`${text} ${await result}`);
          },
          { awakeWaitingMax },
          { seed },
        );
        expect(await all(words)).toEqual(words.map((word) => `${word} ${word.toUpperCase()}`));
      }
    }
  });

  it("nor does one that waits for a fork of it", async () => {
    const { all } = bench(async (ctx, word) => {
      const child = await ctx.agents.write.initiate(word);
      await child.result();
      const ids: string[] = [];
      for await (const { nodeInvocationId } of child.trace()) ids.push(nodeInvocationId);
      ctx.result(await child.fork({ [ids[0] ?? ""]: `${word}!` }));
    });
    expect(await all(words)).toEqual(words.map((word) => `${word.toUpperCase()}!`));
  });

  it("nor does one that asks an invocation of another topology for its next step", async () => {
    const asked = latch();
    const neighbour = async (): Promise<Uint8Array> => {
      await asked.opened;
      return encodeMessage({ kind: "question" }, "step");
    };
    const { harness, client } = bench(
      async (ctx, word) => {
        if (word === "ask") asked.open();
        if (word.length < 4) return ctx.result(word);
        const step = await ctx.agents.far.get(word).nextStep();
        ctx.result(step.kind);
      },
      {},
      { neighbour },
    );
    const { id } = await harness.until(client.initiate("one"));
    const asking = client.invoke(id);
    await harness.run();
    expect(await harness.until(client.invoke("ask"))).toBe("ask");
    expect(await harness.until(asking)).toBe("question");
  });

  it("one that does something else meanwhile, or afterwards, has its place", async () => {
    const work = latch();
    const more = latch();
    const { harness, client, hold, log } = bench(async (ctx, word) => {
      if (word === "second") return ctx.result(word);
      const child = await ctx.agents.write.initiate("held");
      const worked = ctx.run("work", () => work.opened);
      const text = told(child.stream("write"));
      await worked;
      await text;
      log.push("followed");
      await ctx.run("more", () => more.opened);
      log.push("worked");
      ctx.result(await text);
    });
    const first = client.invoke("first");
    await harness.run();
    expect(log).toEqual([]);
    work.open();
    hold.open();
    await harness.run();
    expect(log).toEqual(["held", "followed"]);
    const second = client.invoke("second").then(() => log.push("second"));
    await harness.run();
    more.open();
    await harness.until(Promise.all([first, second]));
    expect(log).toEqual(["held", "followed", "worked", "second"]);
  });

  it("a drain waits for one that follows a stream", async () => {
    const { harness, client, hold } = bench(async (ctx, word) => {
      ctx.result(await told((await ctx.agents.write.initiate(word)).stream("write")));
    });
    const following = client.invoke("held");
    await harness.run();
    expect(harness.program(0).running).toBe(2);
    hold.open();
    expect(await harness.until(following)).toBe("held");
    await harness.run();
    expect(harness.program(0).running).toBe(0);
  });
});
