// The machine that holds the style of the project: it reads every file of the repository and fails
// with `path:line what is wrong`. The rules are in support/tidy-rules.ts and support/tidy-graph.ts;
// tidy-rules.test.ts shows each of them to fire.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lines, type SourceFile, sourceFile } from "./support/source-file.js";
import {
  deadFiles,
  importDirections,
  packageHomes,
  packageImports,
  publishedEntries,
  runtimeSeams,
  unusedExports,
} from "./support/tidy-graph.js";
import { ambientAllowed, type FileRule, fileRules, isLibrary } from "./support/tidy-rules.js";

const root = join(import.meta.dirname, "..");
const notOurs = new Set(["node_modules", "dist", "coverage", "data"]);

function readRepository(folder = ""): SourceFile[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      return notOurs.has(entry.name) || entry.name.startsWith(".") ? [] : readRepository(path);
    }
    if (!/\.(?:ts|mjs)$/.test(entry.name)) return [];
    return [sourceFile(path, readFileSync(join(root, path), "utf8"))];
  });
}

const repository = readRepository();

function check(rule: FileRule): string[] {
  return repository.flatMap((file) => lines(rule(file)));
}

const libraryEntries = new Set([...publishedEntries, "internal.ts", "launch.ts"]);
const otherEntries = new RegExp(
  [
    String.raw`\.test\.ts$`,
    String.raw`^bench/main\.ts$`,
    String.raw`^trials/[^/]+/main\.ts$`,
    String.raw`\.config\.ts$`,
    "^tests/topologies/",
    "^tests/support/build-dist\\.ts$",
    String.raw`^examples/[^/]+/main\.ts$`,
    String.raw`^scripts/[^/]+\.mjs$`,
  ].join("|"),
);

describe("repository — every file", () => {
  it.each(Object.entries(fileRules))("%s", (_sentence, rule) => {
    expect(check(rule)).toEqual([]);
  });
});

describe("repository — how files hang together", () => {
  it("every bracket has its partner, so that the rules read code and not strings", () => {
    const unpaired = repository.filter((file) => {
      const count = (pattern: RegExp) => file.code.match(pattern)?.length ?? 0;
      return count(/[([{]/g) !== count(/[)\]}]/g);
    });
    expect(unpaired.map((file) => file.path)).toEqual([]);
  });

  it("folders import downwards only, and examples what users can", () => {
    expect(check(importDirections)).toEqual([]);
  });

  it("storage, codec and thread packages stay where they are known", () => {
    expect(check(packageImports)).toEqual([]);
  });

  it("every library file is reached from an entry point", () => {
    const library = repository.filter((file) => isLibrary(file.path));
    expect(lines(deadFiles(library, (path) => libraryEntries.has(path)))).toEqual([]);
  });

  it("every other file is reached from a test, a benchmark, a script or an example", () => {
    const dead = deadFiles(repository, (path) => otherEntries.test(path));
    expect(lines(dead.filter((problem) => !isLibrary(problem.path)))).toEqual([]);
  });

  it("only the published entry that says so needs fast-check", () => {
    const library = repository.filter((file) => isLibrary(file.path));
    const needing = [...publishedEntries].filter((entry) => {
      const dead = new Set(deadFiles(library, (path) => path === entry).map(({ path }) => path));
      const reached = library.filter(({ path }) => !dead.has(path));
      return reached.some(({ path }) => packageHomes["fast-check"]?.includes(path));
    });
    expect(needing).toEqual(["testing/arbitraries.ts"]);
  });

  it("package.json exports the published entries", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const targets = Object.values(exports).filter((target) => typeof target === "object");
    const sources = targets.map((target) => {
      return JSON.stringify(target).match(/"default":"\.\/dist\/bundle\/(.*)\.js"/)?.[1];
    });
    expect(sources.map((name) => `${name}.ts`).toSorted()).toEqual(
      [...publishedEntries].toSorted(),
    );
  });

  it("every export is imported by somebody", () => {
    expect(lines(unusedExports(repository))).toEqual([]);
  });

  it("every file that a rule makes an exception for is there", () => {
    const paths = new Set(repository.map((file) => file.path));
    const named = [...ambientAllowed, ...runtimeSeams, ...Object.values(packageHomes).flat()];
    expect(named.filter((path) => !paths.has(path))).toEqual([]);
  });
});
