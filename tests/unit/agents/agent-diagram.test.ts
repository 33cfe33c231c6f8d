// A bug here would look like this: a drawing that Mermaid refuses, or that shows another graph.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { sum } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { object } from "../../../agents/declare/object.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { balances } from "./fixtures.js";

const text = type<string>();
const words = agent({
  entry: "split",
  result: type<number>(),
  stores: { balances },
  agents: { again: agentRef<string, number>("words") },
  objects: { model: object(1) },
  nodes: {
    split: scatter({ input: text, to: ["count"] }),
    count: node({ input: text, to: ["more", "total"], key: (word) => word }),
    more: scatter({ input: text, to: ["inner"] }),
    inner: gather({ collect: sum, to: ["total"] }),
    total: gather({ collect: sum, to: ["done"] }),
    done: node({ input: text }),
  },
});
const none = (): void => {};

/** The drawing of what a JavaScript caller could pass, and the types would refuse. */
function drawLoose(shape: unknown): string {
  return Reflect.apply(agent, undefined, [shape]).implement({}).toMermaid();
}

describe("toMermaid", () => {
  it("draws an agent: its entry, its nodes, each scope a group, its edges", () => {
    const functions = {
      split: none,
      count: none,
      more: none,
      inner: none,
      total: none,
      done: none,
    };
    expect(words.implement(functions).toMermaid()).toBe(`flowchart TD
  n1((" "))
  n2[/"split"\\]
  n3[\\"total"/]
  n4["done"]
  subgraph n5["scope of split"]
    n6[["count"]]
    n7[/"more"\\]
    n8[\\"inner"/]
  end
  n1 --> n2
  n2 --> n6
  n6 --> n7
  n6 --> n3
  n7 --> n8
  n8 --> n3
  n3 --> n4
`);
  });

  it("draws a topology: its agents, and what they use", () => {
    const model = object(1);
    const one = agent({
      entry: "a",
      result: text,
      stores: { ledger: balances },
      agents: { one: agentRef<string, string>("one") },
      objects: { model },
      nodes: { a: node({ input: text }) },
    }).implement({ a: none });
    const declared = topology("t", "file:///t.js", {
      stores: { balances },
      agents: { one },
      objects: { model },
    });
    expect(declared.toMermaid()).toBe(`flowchart TD
  subgraph n1["one"]
    n2((" "))
    n3["a"]
  end
  n4[("balances")]
  n5{{"model"}}
  n2 --> n3
  n1 -.-> n4
  n1 -.-> n1
  n1 -.-> n5
`);
  });

  it("draws what an agent uses of other topologies", () => {
    const one = agent({
      entry: "a",
      result: text,
      agents: { pay: agentRef<string, string>("bank", "pay") },
      nodes: { a: node({ input: text }) },
    }).implement({ a: none });
    const drawn = topology("t", "file:///t.js", { agents: { one } }).toMermaid();
    expect(drawn).toContain('n4>"bank/pay"]\n');
    expect(drawn).toContain("n1 -.-> n4\n");
  });

  it("draws what can be read of an agent that is not sound", () => {
    const nodes = { 'a"\n': node({ input: text, to: ["nowhere"] }), b: 5 };
    const drawn = drawLoose({ entry: "x", nodes });
    expect(drawn).toBe(`flowchart TD\n  n1((" "))\n  n2["a#quot; "]\n  n3["b"]\n`);
    expect(drawLoose(null)).toContain("flowchart");
  });
});
