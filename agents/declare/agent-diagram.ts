// Agent diagram — an agent's nodes and edges as a drawing, each scope a group behind its scatter.
//
// Owns: what is drawn of an agent, sound or not: whatever can be read of it. Leaves to others: the
// text of drawings (base/flowchart.ts), agents among stores (runtime/topology-diagram.ts).

import type { Flowchart } from "../../base/flowchart.js";
import type { AgentParts } from "./definition.js";
import { checkNode, isKeyed } from "./node-problems.js";
import { optionBag } from "./option-problems.js";
import { type GraphNode, scopesOf } from "./scopes.js";

/** Draws an agent: where an invocation begins, its nodes by scope, its edges. */
export function drawAgent(chart: Flowchart, parts: AgentParts): void {
  const shape = optionBag(parts.shape) ?? {};
  const declared = optionBag(shape["nodes"]) ?? {};
  const nodes = Object.entries(declared).map(([name, node]) => checkNode(name, node, () => {}));
  const graph = new Map(nodes.map((node) => [node.name, node]));
  const entry = String(shape["entry"]);
  const { around } = scopesOf(graph, entry);
  const ids = new Map<string, string>();
  const start = chart.box(" ", "start");
  const drawWithin = (scope: string | undefined): void => {
    const within = nodes.filter(({ name }) => around.get(name)?.at(-1) === scope);
    for (const node of within) {
      const isKeyedNode = isKeyed(declared[node.name]);
      ids.set(node.name, chart.box(node.name, isKeyedNode ? "keyed" : node.kind));
    }
    for (const { name } of within) {
      const isScope = nodes.some((node) => around.get(node.name)?.at(-1) === name);
      if (isScope) chart.group(`scope of ${name}`, () => drawWithin(name));
    }
  };
  drawWithin(undefined);
  const first = ids.get(entry);
  if (first !== undefined) chart.arrow(start, first);
  drawEdges(chart, nodes, ids);
}

function drawEdges(
  chart: Flowchart,
  nodes: readonly GraphNode[],
  ids: ReadonlyMap<string, string>,
): void {
  for (const { name, targets } of nodes) {
    for (const target of targets) {
      const [from, to] = [ids.get(name), ids.get(target)];
      if (from !== undefined && to !== undefined) chart.arrow(from, to);
    }
  }
}
