// LangGraph.js — a graph of two nodes with the checkpointer that keeps everything in memory: it
// survives nothing, and needs no disk.

import { Annotation, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { keyOf, manyKeys } from "../counters.js";
import { during, verify } from "../measure.js";
import type { SubjectSpec } from "../target.js";

// Tracing goes to a service on the network; a user's environment may have turned it on.
process.env["LANGSMITH_TRACING"] = "false";
process.env["LANGCHAIN_TRACING_V2"] = "false";

const State = Annotation.Root({ key: Annotation<string>, count: Annotation<number> });

export function langGraphPairs(label: string, inFlightMax: number): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => ({
      measure: async ({ ms }) => {
        const counters = new Map<string, number>();
        // A new one for each measurement: what it keeps of earlier threads would slow it down.
        const graph = compile(counters);
        const load = { ms, inFlight: inFlightMax, signal: stage.signal };
        const { count, ...loaded } = await during(load, (index) =>
          graph.invoke(
            { key: keyOf(index % manyKeys) },
            { configurable: { thread_id: String(index) } },
          ),
        );
        let sum = 0;
        for (const runs of counters.values()) sum += runs;
        verify("runs of the second node", sum, count);
        return loaded;
      },
      close: async () => {},
    }),
  };
}

function compile(counters: Map<string, number>) {
  return new StateGraph(State)
    .addNode("first", ({ key }) => ({ key }))
    .addNode("second", ({ key }) => {
      const next = (counters.get(key) ?? 0) + 1;
      counters.set(key, next);
      return { count: next };
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .addEdge("second", END)
    .compile({ checkpointer: new MemorySaver() });
}
