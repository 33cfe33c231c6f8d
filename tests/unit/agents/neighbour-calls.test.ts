// What a node can give to an invocation in another topology, and ask of it, as of one of its own. A
// bug here would look like metadata that is lost on the way, or a fork that nobody can be told of.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NeighbourAgentClient } from "../../../agents/client/neighbour-client.js";
import type { Metadata } from "../../../agents/declare/metadata.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { inlineCluster } from "../../support/inline-cluster.js";

type Tell = NeighbourAgentClient<string, readonly Metadata[]>;

/** `tell`, of one topology, says what metadata its nodes see; a node of another runs `ask`. */
async function tellingTo(name: string, ask: (tell: Tell, text: string) => Promise<unknown>) {
  const tell = agent({
    entry: "a",
    result: type<readonly Metadata[]>(),
    nodes: {
      a: node({ input: type<string>(), to: ["b"] }),
      b: node({ input: type<Metadata>() }),
    },
  }).implement({
    a: (ctx) => ctx.emit("b", ctx.metadata),
    b: (ctx, before) => ctx.result([before, ctx.metadata]),
  });
  const inner = topology(`${name}-inner`, import.meta.url, { agents: { tell } });
  const asker = agent({
    agents: { tell: agentRef(inner, "tell") },
    entry: "a",
    result: type<unknown>(),
    nodes: { a: node({ input: type<string>() }) },
  }).implement({
    a: async (ctx, text) => ctx.result(await ask(ctx.agents.tell, text)),
  });
  const served = await inlineCluster(inner);
  const outer = topology(`${name}-outer`, import.meta.url, { agents: { asker } });
  const runtime = await inlineCluster(outer);
  return { served: served.agent("tell"), asker: runtime.agent("asker") };
}

describe("metadata of an invocation that a node begins in another topology", () => {
  it("is what its nodes see, of `invoke` and of `initiate`", async () => {
    const { asker, served } = await tellingTo("seen", async (tell, who) => {
      const given: Record<string, string> = { who };
      const invoked = tell.invoke("", { metadata: given });
      given["who"] = "somebody else";
      const begun = await tell.initiate("", { metadata: { size: 5, isNew: true } });
      return [await invoked, await begun.result(), await tell.invoke(""), begun.id];
    });
    const [invoked, initiated, without, id] = Object(await asker.invoke("ann"));
    expect([invoked, initiated, without]).toEqual([
      [{ who: "ann" }, { who: "ann" }],
      [
        { size: 5, isNew: true },
        { size: 5, isNew: true },
      ],
      [{}, {}],
    ]);
    expect(await served.get(String(id)).metadata()).toEqual({ size: 5, isNew: true });
  });

  it("stays what the first run has given: a later one with another begins nothing", async () => {
    let runs = 0;
    const ids = new Set<string>();
    const { asker } = await tellingTo("stays", async (tell) => {
      runs += 1;
      const begun = await tell.initiate("", { metadata: { run: runs } });
      const invoked = await tell.invoke("", { metadata: { run: runs } });
      ids.add(begun.id);
      if (runs < 3) throw new Error("again");
      return [await begun.result(), invoked];
    });
    const first = [{ run: 1 }, { run: 1 }];
    expect(await asker.invoke("")).toEqual([first, first]);
    expect([runs, ids.size]).toEqual([3, 1]);
  });

  it("is refused when it is none, and so are an id and options that there are not", async () => {
    const { asker } = await tellingTo("refused", async (tell) => {
      const refusals = [
        { metadata: { list: [] } },
        { id: "0190b6a0-0000-7000-8000-000000000000" },
        { nothing: 1 },
        { signal: AbortSignal.abort(new Error("enough")) },
      ].flatMap((given) => {
        // cast: what a JavaScript caller could write
        const options = given as { metadata: Metadata };
        return [tell.invoke("", options), tell.initiate("", options)];
      });
      return (await Promise.allSettled(refusals)).map((one) =>
        one.status === "rejected" ? String(Reflect.get(Object(one.reason), "message")) : "taken",
      );
    });
    const agentThere = 'of agent "tell" of topology "refused-inner"';
    // cast: told so above
    const sentences = (await asker.invoke("")) as readonly string[];
    expect(sentences.slice(0, 2)).toEqual([
      expect.stringContaining(`invoke ${agentThere}: "metadata" must be`),
      expect.stringContaining(`initiate ${agentThere}: "metadata" must be`),
    ]);
    expect(sentences.slice(2, 4)).toEqual([
      expect.stringContaining(`invoke ${agentThere}: "id" must be left out`),
      expect.stringContaining(`initiate ${agentThere}: "id" must be left out`),
    ]);
    expect(sentences.slice(4)).toEqual([
      expect.stringContaining('"nothing"'),
      expect.stringContaining('"nothing"'),
      "enough",
      "enough",
    ]);
  });
});

describe("forks of an invocation in another topology", () => {
  it("are told, and what they are forks of, as to that topology's own clients", async () => {
    const { asker, served } = await tellingTo("forks", async (tell, id) => {
      const asked = tell.get(id);
      const [parent, forks] = await Promise.all([asked.parent(), asked.forks()]);
      const ofForks = await Promise.all(forks.map((fork) => tell.get(fork).parent()));
      return { parent: parent ?? "none", forks, ofForks };
    });
    const parent = await served.initiate("one");
    await parent.result();
    expect(await asker.invoke(parent.id)).toEqual({ parent: "none", forks: [], ofForks: [] });
    let root = "";
    for await (const { nodeInvocationId, node: name } of parent.trace()) {
      if (name === "a") root = nodeInvocationId;
    }
    const forks: string[] = [];
    for (const text of ["two", "three"]) {
      forks.push((await parent.initiateFork({ [root]: text })).id);
    }
    expect(await asker.invoke(parent.id)).toEqual({
      parent: "none",
      forks,
      ofForks: [parent.id, parent.id],
    });
  });

  it("are refused of an invocation that there is not", async () => {
    const { asker } = await tellingTo("unknown", async (tell) => {
      const unknown = tell.get("00000000-000000000000-000000000000");
      const asked = await Promise.allSettled([unknown.parent(), unknown.forks()]);
      return asked.map((one) => one.status === "rejected" && one.reason.code);
    });
    expect(await asker.invoke("")).toEqual(["INVOCATION_UNKNOWN", "INVOCATION_UNKNOWN"]);
  });
});
