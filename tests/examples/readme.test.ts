// The READMEs of the examples point at lines of code and draw topologies. Code moves; here a link
// that no longer shows what it says, or a drawing of what is not so any more, fails.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isTopology } from "../../runtime/topology.js";

const folder = fileURLToPath(new URL("../../examples", import.meta.url));
const names = readdirSync(folder);

describe.each(names)("README of the example %s", (name) => {
  const readme = readFileSync(join(folder, name, "README.md"), "utf8");

  it("says how to run it, what it prints, and what it guarantees", () => {
    expect(readme).toContain(name === "flights" ? "npm start" : `npm run example ${name}`);
    for (const heading of ["## Run it", "## What it prints", "## Guarantees"]) {
      expect(readme).toContain(`\n${heading}\n`);
    }
  });

  it("points at the lines that it quotes", () => {
    const quotes = [...readme.matchAll(/`([^`]+)`\s+\(\[([\w-]+\.ts):(\d+)\]\(([^)]*)\)\)/g)];
    const links = [...readme.matchAll(/\.ts#L/g)];

    expect(quotes.length).toBeGreaterThan(1);
    expect(quotes).toHaveLength(links.length);
    for (const [, code = "", file = "", line = "", target] of quotes) {
      const lines = readFileSync(join(folder, name, file), "utf8").split("\n");
      expect(lines[Number(line) - 1]).toContain(code);
      expect(target).toBe(`${file}#L${line}`);
    }
  });

  it("shows the topology as it is", async () => {
    const { default: topology } = await import(join(folder, name, "topology.ts"));
    const drawings = [...readme.matchAll(/^```mermaid\n(.*?)^```$/gms)].map(([, text]) => text);

    expect(isTopology(topology, name)).toBe(true);
    expect(drawings).toEqual([topology.toMermaid()]);
  });

  it("shows a main.ts of at most 40 lines", () => {
    const lines = readFileSync(join(folder, name, "main.ts"), "utf8")
      .trimEnd()
      .split("\n");

    expect(lines.length).toBeLessThanOrEqual(40);
  });
});
