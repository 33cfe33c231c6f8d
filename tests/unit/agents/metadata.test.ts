// A bug here would look like this: a node that sees other metadata than the call gave, an edit that
// is lost, or one that changes what a node sees when it is run again.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { Metadata } from "../../../agents/declare/metadata.js";
import { node } from "../../../agents/declare/node.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** Three nodes in a row, the last of which waits; each notes the metadata it sees. */
function chain(hold: Promise<void> = Promise.resolve()) {
  const seen: Metadata[] = [];
  const declared = agent({
    entry: "a",
    result: type<null>(),
    nodes: {
      a: node({ input: type<null>(), to: ["b"] }),
      b: node({ input: type<null>(), to: ["c"], key: () => 1 }),
      c: node({ input: type<null>() }),
    },
  }).implement({
    a(ctx) {
      seen.push(ctx.metadata);
      ctx.emit("b", null);
    },
    b(ctx) {
      seen.push(ctx.metadata);
      ctx.emit("c", null);
    },
    async c(ctx) {
      await hold;
      seen.push(ctx.metadata);
      ctx.result(null);
    },
  });
  const harness = new ProgramHarness({ agents: { declared } });
  return { harness, seen, client: clientsOf(harness).agent(declared) };
}

const given = { user: "ada", tries: 3, urgent: true };

describe("metadata — string keys, number, string and boolean values", () => {
  it("given at invoke, visible in every node as ctx.metadata", async () => {
    const { harness, seen, client } = chain();
    await harness.until(client.invoke(null, { metadata: given }));
    expect(seen).toEqual([given, given, given]);
    expect(Object.isFrozen(seen[0])).toBe(true);
  });

  it("is empty when none is given", async () => {
    const { harness, seen, client } = chain();
    const invocation = await harness.until(client.initiate(null));
    await harness.run();
    expect(seen).toEqual([{}, {}, {}]);
    expect(await harness.until(invocation.metadata())).toEqual({});
  });

  it("refuses other values, and more than fits", async () => {
    const { harness, client } = chain();
    // cast: what the types refuse is to be refused at run time too.
    const wrong = [{ a: {} }, { a: null }, { a: undefined }, [1], 5, null] as unknown[];
    wrong.push({ text: "x".repeat(limits.carriedBytesMax) });
    for (const metadata of wrong) {
      // cast: as said above.
      const refused = client.initiate(null, { metadata: metadata as Metadata });
      await expect(refused).rejects.toMatchObject({
        code: "OPTION_INVALID",
        details: { option: "metadata" },
      });
    }
    await harness.run();
  });
});

describe("metadata — editable on the invocation", () => {
  it("sets, removes and leaves names; later reads and restarts see it", async () => {
    const { harness, client } = chain();
    const invocation = await harness.until(client.initiate(null, { metadata: given }));
    const changes = { tries: 4, urgent: undefined, stage: "late" };
    const after = { user: "ada", tries: 4, stage: "late" };
    expect(await harness.until(invocation.setMetadata(changes))).toEqual(after);
    await harness.run();
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    expect(await harness.until(client.get(invocation.id).metadata())).toEqual(after);
    expect(await harness.until(invocation.setMetadata({}))).toEqual(after);
  });

  it("leaves what nodes see as it was given, so that runs repeat", async () => {
    const hold = latch();
    const { harness, seen, client } = chain(hold.opened);
    const invocation = await harness.until(client.initiate(null, { metadata: given }));
    await harness.run();
    await harness.until(invocation.setMetadata({ user: "bob" }));
    hold.open();
    await harness.run();
    expect(seen).toEqual([given, given, given]);
    expect(await harness.until(invocation.metadata())).toEqual({ ...given, user: "bob" });
  });

  it("refuses changes that are no metadata, too much of it, and unknown invocations", async () => {
    const { harness, client } = chain();
    const invocation = await harness.until(client.initiate(null, { metadata: given }));
    const half = "x".repeat(limits.carriedBytesMax / 2);
    await harness.until(invocation.setMetadata({ half }));
    for (const changes of [{ a: {} }, { other: half }]) {
      // cast: as above.
      const refused = invocation.setMetadata(changes as Metadata);
      await expect(harness.until(refused)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
    expect(await harness.until(invocation.metadata())).toEqual({ ...given, half });
    const { id } = invocation;
    const unknown = client.get(`${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`);
    for (const call of [unknown.metadata(), unknown.setMetadata({ a: 1 })]) {
      await expect(harness.until(call)).rejects.toMatchObject({ code: "INVOCATION_UNKNOWN" });
    }
  });
});
