// A bug here would look like this: a stream that a restart of the runtime has emptied, or a
// follower in a real cluster that hears of nothing.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { latch } from "../../support/latch.js";
import { followed } from "../../support/stream-events.js";
import { tempDirectory } from "../../support/temp-directory.js";

const hold = latch();
const writer = agent({
  entry: "start",
  result: type<null>(),
  nodes: {
    start: node({ input: type<string>(), to: ["write"] }),
    write: node({ input: type<string>(), key: (text) => text }),
  },
}).implement({
  start(ctx, text) {
    ctx.emit("write", text);
  },
  async write(ctx, text) {
    for (const letter of text) await ctx.chunk(letter);
    if (text === "wait") await hold.opened;
    ctx.result(null);
  },
});
const declared = topology("streaming", import.meta.url, { agents: { writer } });

describe("streams — over a restart of the runtime", () => {
  it("late subscribers lose nothing, of what had finished and of what goes on", async () => {
    const directory = tempDirectory();
    const first = await inlineCluster(declared, { directory, closeTimeoutMs: 0 });
    const done = await first.agent("writer").initiate("done");
    const waiting = await first.agent("writer").initiate("wait");
    await done.result();
    const before = followed(waiting.stream("write"));
    while (before.values.length < 4) await new Promise((resolve) => setImmediate(resolve));
    expect(before.values.join("")).toBe("wait");
    await first.close();
    await expect(before.ended).rejects.toMatchObject({ code: "CLOSED" });

    const second = await inlineCluster(declared, { directory });
    const client = second.agent("writer");
    const again = followed(client.get(done.id).stream("write"));
    await again.ended;
    expect(again.shown).toEqual(["0:d", "1:o", "2:n", "3:e", "completed"]);
    hold.open();
    const goesOn = followed(client.get(waiting.id).streamAll("write"));
    await goesOn.ended;
    expect(goesOn.values.join("")).toBe("wait");
    expect(goesOn.shown.at(-1)).toBe("completed");
  });
});
