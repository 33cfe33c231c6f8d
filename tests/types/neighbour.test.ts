// Type tests of references to other topologies: what is inferred, and what is refused while it is
// typed.

import { describe, expect, expectTypeOf, it } from "vitest";
import {
  agent,
  agentRef,
  keyValueStore,
  type NeighbourAgentRef,
  node,
  type StoreRef,
  storeRef,
  string,
  topology,
  type,
} from "../../index.js";

const balances = keyValueStore({ key: string, value: type<number>() });
const double = agent({
  entry: "n",
  result: type<bigint>(),
  nodes: { n: node({ input: type<number>() }) },
}).implement({ n: (ctx, n) => ctx.result(BigInt(n) * 2n) });
const math = topology("math", import.meta.url, { stores: { balances }, agents: { double } });

describe("references to another topology — types", () => {
  it("take their types from the topology, or as they are said", () => {
    expectTypeOf(agentRef(math, "double")).toEqualTypeOf<NeighbourAgentRef<number, bigint>>();
    expectTypeOf(agentRef<string, Date>("bank", "pay")).toEqualTypeOf<
      NeighbourAgentRef<string, Date>
    >();
    expectTypeOf(storeRef(math, "balances")).toEqualTypeOf<StoreRef<string, number>>();
    expect(agentRef(math, "double").name).toBe("double");
  });

  it("refuses names that the topology does not declare", () => {
    // @ts-expect-error: it declares no such agent
    agentRef(math, "half");
    // @ts-expect-error: it declares no such store
    storeRef(math, "accounts");
    // @ts-expect-error: a store is read by its declaration, not by the name of its topology
    storeRef("math", "balances");
    expect(math.name).toBe("math");
  });

  it("refuses to write a store of another topology, and what its stores do not hold", () => {
    agent({
      entry: "a",
      result: type<number>(),
      stores: { balances: storeRef(math, "balances") },
      agents: { double: agentRef(math, "double") },
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, owner) {
        expectTypeOf(await ctx.stores.balances.get(owner)).toEqualTypeOf<number | undefined>();
        expectTypeOf(await ctx.agents.double.invoke(1)).toEqualTypeOf<bigint>();
        for (const write of ["put", "update", "delete", "clear", "modify", "putMany"] as const) {
          // @ts-expect-error: it can be read alone
          expectTypeOf(ctx.stores.balances[write]).toBeFunction();
        }
        // @ts-expect-error: keys are texts
        await ctx.stores.balances.get(1);
        const begun = await ctx.agents.double.initiate(1, { metadata: { owner, size: 1 } });
        expectTypeOf(await begun.parent()).toEqualTypeOf<string | undefined>();
        expectTypeOf(await begun.forks()).toEqualTypeOf<readonly string[]>();
        // @ts-expect-error: metadata is numbers, texts and truth values
        await ctx.agents.double.invoke(1, { metadata: { owner: null } });
        // @ts-expect-error: the node gives the call its id
        await ctx.agents.double.invoke(1, { id: owner });
        // @ts-expect-error: forks are made by the clients of its topology
        expectTypeOf(begun.initiateFork).toBeFunction();
        // @ts-expect-error: the message of its entry is a number
        await ctx.agents.double.invoke("1");
      },
    });
    expect(double.kind).toBe("agent");
  });
});
