// Topology diagram — a topology as a drawing: its agents, each a group, and what they use.

import { Flowchart } from "../base/flowchart.js";
import type { TopologyParts } from "./topology-parts.js";
import { topologyNames } from "./topology-problems.js";

/** The Mermaid text of a sound topology. */
export function topologyDiagram(parts: TopologyParts): string {
  const chart = new Flowchart();
  const names = topologyNames(parts);
  const agents = Object.entries(parts.agents ?? {});
  const ids = new Map<string, string>();
  for (const [name, agent] of agents) {
    ids.set(
      `agents ${name}`,
      chart.group(name, () => agent.draw(chart)),
    );
  }
  const used = (
    [
      ["stores", "store"],
      ["compute", "compute"],
      ["objects", "object"],
    ] as const
  ).flatMap(([part, shape]) =>
    Object.keys(parts[part] ?? {}).map((name) => ({ part, name, shape })),
  );
  for (const { part, name, shape } of used) ids.set(`${part} ${name}`, chart.box(name, shape));
  for (const [name, agent] of agents) {
    const from = ids.get(`agents ${name}`);
    for (const reference of agent.references(names)) {
      const { part, name: other } = reference;
      const id = `${part} ${other}`;
      if (part === "neighbours" && !ids.has(id)) ids.set(id, chart.box(other, "neighbour"));
      const to = ids.get(id);
      if (from !== undefined && to !== undefined) chart.arrow(from, to, "dotted");
    }
  }
  return chart.text();
}
