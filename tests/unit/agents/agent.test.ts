import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { harnessNames } from "../../support/program-names.js";
import { balances } from "./fixtures.js";

const builder = agent({
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<string>() }) },
});

describe("agent — the declaration", () => {
  it("is immutable, and so is the builder", () => {
    const declared = builder.implement({ a: (ctx, text) => ctx.result(text) });
    expect(declared.kind).toBe("agent");
    expect(Object.isFrozen(declared)).toBe(true);
    expect(Object.isFrozen(builder)).toBe(true);
  });

  it("can be implemented more than once, each for itself", async () => {
    const loud = builder.implement({ a: (ctx, text) => ctx.result(text.toUpperCase()) });
    const quiet = builder.implement({ a: (ctx, text) => ctx.result(text.toLowerCase()) });
    const harness = new ProgramHarness({ agents: { loud, quiet } });
    const clients = clientsOf(harness);
    expect(await harness.until(clients.agent(loud).invoke("Text"))).toBe("TEXT");
    expect(await harness.until(clients.agent(quiet).invoke("Text"))).toBe("text");
  });

  it("has a shape that does not depend on its functions", () => {
    const names = harnessNames();
    const one = builder.implement({ a: () => {} }).shape(names);
    expect(builder.implement({ a: (ctx) => ctx.result("x") }).shape(names)).toEqual(one);
  });
});

describe("agent — in a topology", () => {
  it("is refused with all problems of all agents at once", () => {
    const first = agent({
      stores: { balances },
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>() }), b: node({ input: type<string>() }) },
    }).implement({ a: () => {}, b: () => {} });
    // cast: what a JavaScript caller could write
    const second = builder.implement({} as Parameters<typeof builder.implement>[0]);
    expect(() => topology("t", "file:///t.js", { agents: { first, second } })).toThrow(
      expect.objectContaining({
        code: "TOPOLOGY_INVALID",
        details: {
          topology: "t",
          problems: [
            expect.objectContaining({
              path: "agents.first.stores.balances",
              code: "REFERENCE_UNDECLARED",
            }),
            expect.objectContaining({ path: "agents.first.nodes.b", code: "NODE_UNREACHABLE" }),
            expect.objectContaining({
              path: "agents.second.implement.a",
              code: "IMPLEMENTATION_MISSING",
            }),
          ],
        },
      }),
    );
  });
});
