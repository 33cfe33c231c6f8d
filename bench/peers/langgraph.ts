// LangGraph.js — a graph of two nodes with the checkpointer that keeps everything in memory: it
// survives nothing, and needs no disk.
//
// It has a thread for itself, as our tasks have: it turns on the promise hooks of Node for good,
// and from then on every promise of its thread costs more, those of all other subjects too.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { verify } from "../measure.js";
import type { SubjectSpec } from "../target.js";
import type { GraphAnswer, GraphOrder } from "./langgraph-thread.js";

export function langGraphPairs(label: string, inFlightMax: number): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const worker = new Worker(new URL("./langgraph-thread.js", import.meta.url));
      const close = stage.atEnd(async () => void (await worker.terminate()));
      await once(worker, "message", { signal: stage.signal });
      return {
        measure: async ({ ms }) => {
          const order: GraphOrder = { ms, inFlight: inFlightMax };
          const answered = once(worker, "message", { signal: stage.signal });
          worker.postMessage(order);
          // cast: the thread answers so
          const [answer] = (await answered) as [GraphAnswer];
          const { count, ...loaded } = answer.loaded;
          verify("runs of the second node", answer.runs, count);
          return loaded;
        },
        close,
      };
    },
  };
}
