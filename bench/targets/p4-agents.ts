// P4 — a durable agent of two nodes, beside a graph of two nodes that is kept in memory and a
// durable handler; and one whose second node updates a store, beside a durable handler that updates
// its state.

import { pairs, relays } from "../agents.js";
import { langGraphPairs } from "../peers/langgraph.js";
import { restateCalls, restateRelays } from "../peers/restate.js";
import { atLeast, ratio, type Target } from "../target.js";

const inFlight = 200;

export const p4: Target = {
  id: "P4",
  title: "Durable two-node agent, 200 in flight",
  unit: "runs/s",
  subjects: {
    partita: relays("Partita, two nodes, durable", inFlight),
    updating: pairs("Partita, two nodes, the second updates a store", inFlight),
    langgraph: langGraphPairs("LangGraph.js, two nodes, MemorySaver", inFlight),
    restate: restateRelays("Restate, one handler, durable", inFlight),
    restateState: restateCalls("Restate, one handler that updates its state", inFlight),
  },
  comparisons: [
    ratio(
      "P4",
      "runs / LangGraph.js in memory",
      ["partita", "langgraph"],
      "perSecond",
      atLeast(25),
    ),
    ratio(
      "P4-restate",
      "runs / a Restate handler",
      ["partita", "restate"],
      "perSecond",
      atLeast(25),
    ),
    ratio(
      "P4-state",
      "runs that update a store / a Restate handler that updates its state",
      ["updating", "restateState"],
      "perSecond",
      atLeast(25),
    ),
  ],
  limits: ["append", "roundTrip", "encodeAndPut"],
  ms: { full: 3_000, quick: 400 },
};
