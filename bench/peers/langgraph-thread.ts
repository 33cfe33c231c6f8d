// The thread that LangGraph.js has for itself: a graph of two nodes, and the load that calls it.

import { Annotation, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { parentPort } from "node:worker_threads";
import { keyOf, manyKeys } from "../counters.js";
import { during, type Loaded } from "../measure.js";

/** What to measure. */
export interface GraphOrder {
  readonly ms: number;
  readonly inFlight: number;
}

/** What was measured, and how often the second node has run. */
export interface GraphAnswer {
  readonly loaded: Loaded;
  readonly runs: number;
}

// Tracing goes to a service on the network; a user's environment may have turned it on.
process.env["LANGSMITH_TRACING"] = "false";
process.env["LANGCHAIN_TRACING_V2"] = "false";

const State = Annotation.Root({ key: Annotation<string>, count: Annotation<number> });

const port = parentPort;
if (port === null) throw new Error("this file is the entry of a thread");
port.on("message", async (order: GraphOrder) => port.postMessage(await measure(order)));
port.postMessage("ready");

async function measure({ ms, inFlight }: GraphOrder): Promise<GraphAnswer> {
  globalThis.gc?.();
  const counters = new Map<string, number>();
  // A new one for each measurement: what it keeps of earlier threads would slow it down.
  const graph = compile(counters);
  // Whoever interrupts the run ends this thread.
  const { signal } = new AbortController();
  const loaded = await during({ ms, inFlight, signal }, (index) =>
    graph.invoke({ key: keyOf(index % manyKeys) }, { configurable: { thread_id: String(index) } }),
  );
  let runs = 0;
  for (const count of counters.values()) runs += count;
  return { loaded, runs };
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
