// Forks that are begun under a name. A bug here would look like two forks where the caller, who was
// cut off, has asked for one.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { tempDirectory } from "../../support/temp-directory.js";

const echo = agent({
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<string>() }) },
}).implement({ a: (ctx, text) => ctx.result(text) });

const declared = topology("fork-calls", import.meta.url, { agents: { echo } });

describe("forks — begun under an id", () => {
  it("`{ id }` twice gives the same fork, over a restart too", async () => {
    const directory = tempDirectory();
    const runtime = await inlineCluster(declared, { directory });
    const parent = await runtime.agent("echo").initiate("one");
    await parent.result();
    let root = "";
    for await (const { nodeInvocationId } of parent.trace()) root = nodeInvocationId;
    const id = runtime.newId();
    const fork = await parent.initiateFork({ [root]: "two" }, { id });
    expect((await parent.initiateFork({ [root]: "two" }, { id })).id).toBe(fork.id);
    expect(await parent.fork({ [root]: "two" }, { id })).toBe("two");
    await expect(parent.fork({ [root]: "three" }, { id })).rejects.toMatchObject({
      code: "ID_REUSED",
    });
    await runtime.close();
    const again = (await inlineCluster(declared, { directory })).agent("echo").get(parent.id);
    expect((await again.initiateFork({ [root]: "two" }, { id })).id).toBe(fork.id);
    expect(await again.forks()).toEqual([fork.id]);
    expect(await again.fork({ [root]: "four" })).toBe("four");
    expect(await again.forks()).toHaveLength(2);
  });
});
