// The READMEs of the examples point at lines of code. Lines move; here a link that no longer shows
// what it says fails.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

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

  it("shows a main.ts of at most 40 lines", () => {
    const lines = readFileSync(join(folder, name, "main.ts"), "utf8")
      .trimEnd()
      .split("\n");

    expect(lines.length).toBeLessThanOrEqual(40);
  });
});
