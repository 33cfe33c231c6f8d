// Streams and metadata of invocations in other topologies. A bug here would look like a chunk that
// never comes, comes twice, or a follower that waits behind the end.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NeighbourInvocation } from "../../../agents/client/neighbour-client.js";
import type { NodeTrace } from "../../../agents/client/trace.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { ownerOf } from "../../../runtime/partition.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { latch } from "../../support/latch.js";

/** Two topologies: `poem` streams lines, and `reader`, of the other one, runs `read` on one. */
function readersOf(
  name: string,
  gate: Promise<unknown>,
  read: (poem: NeighbourInvocation<string>) => Promise<unknown>,
) {
  const poem = agent({
    entry: "a",
    result: type<string>(),
    maxRetries: 0,
    nodes: {
      a: node({ input: type<number>(), to: ["write"] }),
      write: node({ input: type<number>() }),
    },
  }).implement({
    a(ctx, lines) {
      ctx.emit("write", lines);
      ctx.emit("write", lines);
    },
    async write(ctx, lines) {
      for (let line = 0; line < lines; line += 1) {
        await ctx.chunk(`line ${line}`);
        if (line === 0) await gate;
      }
      ctx.result("written");
    },
  });
  const inner = topology(`${name}-inner`, import.meta.url, { agents: { poem } });
  const reader = agent({
    agents: { poem: agentRef(inner, "poem") },
    entry: "b",
    result: type<unknown>(),
    maxRetries: 0,
    nodes: { b: node({ input: type<number>() }) },
  }).implement({
    async b(ctx, lines) {
      ctx.result(await read(await ctx.agents.poem.initiate(lines)));
    },
  });
  return { inner, outer: topology(`${name}-outer`, import.meta.url, { agents: { reader } }) };
}

describe("streams of an invocation in another topology", () => {
  it("`stream` follows the first of a node: all chunks, as they come, then its end", async () => {
    const gate = latch();
    const { inner, outer } = readersOf("first", gate.opened, async (poem) => {
      const seen: unknown[] = [];
      for await (const event of poem.stream("write")) {
        seen.push(event.kind === "chunk" ? [event.index, event.value] : event.kind);
        gate.open();
      }
      return seen;
    });
    await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    expect(await runtime.agent("reader").invoke(3)).toEqual([
      [0, "line 0"],
      [1, "line 1"],
      [2, "line 2"],
      "completed",
    ]);
  });

  it("`streamAll` follows all by id, `streamSpecific` one; late ones lose nothing", async () => {
    const { inner, outer } = readersOf("all", Promise.resolve(), async (poem) => {
      await poem.result();
      const chunks = new Map<string, number>();
      for await (const { kind, nodeInvocationId: id } of poem.streamAll("write")) {
        if (kind === "chunk") chunks.set(id, (chunks.get(id) ?? 0) + 1);
      }
      let one = 0;
      const [id = ""] = chunks.keys();
      await poem.streamSpecific("write", id).forEach(({ kind }) => {
        if (kind === "chunk") one += 1;
      });
      return [[...chunks.values()], one];
    });
    await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    expect(await runtime.agent("reader").invoke(1_500)).toEqual([[1_500, 1_500], 1_500]);
  });

  it("closing ends an iteration, and a node that is not declared is refused", async () => {
    const never = latch();
    const { inner, outer } = readersOf("ends", never.opened, async (poem) => {
      const stream = poem.stream("write");
      for await (const event of stream) if (event.kind === "chunk") stream.close();
      stream.close();
      const wrong = poem.stream("nobody").forEach(() => {});
      const code = await wrong.catch((error: unknown) => Reflect.get(Object(error), "code"));
      never.open();
      return code;
    });
    await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    expect(await runtime.agent("reader").invoke(2)).toBe("NODE_UNKNOWN");
  });

  it("metadata there is read and edited", async () => {
    const { inner, outer } = readersOf("metadata", Promise.resolve(), async (poem) => {
      const before = await poem.metadata();
      await poem.setMetadata({ colour: "red", size: 5 });
      return [before, await poem.setMetadata({ size: undefined }), await poem.metadata()];
    });
    await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    const red = { colour: "red" };
    expect(await runtime.agent("reader").invoke(1)).toEqual([{}, red, red]);
  });
});

describe("the trace of an invocation in another topology", () => {
  it("is what its own clients are told", async () => {
    const lines = 2;
    const read = async (poem: NeighbourInvocation<string>): Promise<unknown> => {
      await poem.result();
      const nodes: NodeTrace[] = [];
      // Until both have written.
      while (nodes.filter(({ status }) => status === "finished").length < 3) {
        nodes.length = 0;
        for await (const one of poem.trace()) nodes.push(one);
      }
      return { id: poem.id, nodes };
    };
    const { inner, outer } = readersOf("traced", Promise.resolve(), read);
    const served = await inlineCluster(inner);
    const runtime = await inlineCluster(outer);
    // cast: what `read` returns
    const told = (await runtime.agent("reader").invoke(lines)) as {
      readonly id: string;
      readonly nodes: readonly NodeTrace[];
    };
    const own: NodeTrace[] = [];
    for await (const one of served.agent("poem").get(told.id).trace()) own.push(one);
    expect(told.nodes).toEqual(own);
    expect(own.map(({ node: name, task }) => [name, task])).toMatchObject([
      ["a", expect.any(Number)],
      ["write", expect.any(Number)],
      ["write", expect.any(Number)],
    ]);
  });

  it("tells on which tasks it has begun, before it has ended", async () => {
    const gate = latch();
    const poemWith = (options: { readonly key?: (n: number) => number }) =>
      agent({
        entry: "a",
        result: type<number>(),
        nodes: { a: node({ input: type<number>(), ...options }) },
      }).implement({
        async a(ctx, n) {
          await gate.opened;
          ctx.result(n);
        },
      });
    const agents = { poem: poemWith({}), keyed: poemWith({ key: (n) => n }) };
    const inner = topology("open-inner", import.meta.url, { agents });
    const found: [string, NodeTrace][] = [];
    const reader = agent({
      agents: { poem: agentRef(inner, "poem"), keyed: agentRef(inner, "keyed") },
      entry: "b",
      result: type<null>(),
      nodes: { b: node({ input: type<null>() }) },
    }).implement({
      async b(ctx) {
        for (let n = 0; n < 8; n += 1) {
          const begun = await ctx.agents[n < 4 ? "poem" : "keyed"].initiate(n);
          for await (const one of begun.trace()) found.push([begun.id, one]);
        }
        ctx.result(null);
      },
    });
    const served = await inlineCluster(inner);
    const runtime = await inlineCluster(
      topology("open-outer", import.meta.url, { agents: { reader } }),
    );
    await runtime.agent("reader").invoke(null);
    for (const [n, [id, one]] of found.entries()) {
      const own = served.agent(n < 4 ? "poem" : "keyed").get(id);
      for await (const known of own.trace()) expect(one).toEqual(known);
      // Where an invocation begins is in its id.
      expect(one.task).toBe(ownerOf(Number.parseInt(id.slice(0, 8), 16), 3));
    }
    expect(found.map(([, { status, message }]) => [status, message])).toEqual(
      Array.from({ length: 8 }, (_, n) => ["open", n]),
    );
    gate.open();
  });

  it("of one that is unknown is refused, and a signal ends it", async () => {
    const unknown = "00000000-000000000000-000000000000";
    const codes: unknown[] = [];
    const poem = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<number>() }) },
    }).implement({ a: (ctx) => ctx.result("") });
    const inner = topology("refusing-inner", import.meta.url, { agents: { poem } });
    const reader = agent({
      agents: { poem: agentRef(inner, "poem") },
      entry: "b",
      result: type<string>(),
      nodes: { b: node({ input: type<null>() }) },
    }).implement({
      async b(ctx) {
        const first = async (options: { signal?: AbortSignal }): Promise<void> => {
          for await (const _ of ctx.agents.poem.get(unknown).trace(options)) return;
        };
        await first({}).catch((error: unknown) => codes.push(Reflect.get(Object(error), "code")));
        const signal = AbortSignal.abort("enough");
        await first({ signal }).catch((error: unknown) => codes.push(error));
        ctx.result("");
      },
    });
    await inlineCluster(inner);
    const runtime = await inlineCluster(
      topology("refusing-outer", import.meta.url, { agents: { reader } }),
    );
    await runtime.agent("reader").invoke(null);
    expect(codes).toEqual(["INVOCATION_UNKNOWN", "enough"]);
  });
});
