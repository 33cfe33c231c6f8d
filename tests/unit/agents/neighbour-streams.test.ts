// Streams and metadata of invocations in other topologies. A bug here would look like a chunk that
// never comes, comes twice, or a follower that waits behind the end.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NeighbourInvocation } from "../../../agents/client/neighbour-client.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
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
