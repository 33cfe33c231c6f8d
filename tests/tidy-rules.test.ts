// A rule that cannot fail protects nothing: each style rule is shown to fire on a snippet that
// breaks it, and to let pass one that only looks like it. tidy.test.ts runs the rules over the
// repository.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findPattern, lines, sourceFile } from "./support/source-file.js";
import {
  deadFiles,
  importDirections,
  importsOf,
  packageImports,
  unusedExports,
} from "./support/tidy-graph.js";
import {
  bannedWords,
  castReason,
  type FileRule,
  fileLength,
  fileName,
  functionLength,
  header,
  lineWidth,
  noAmbient,
  noConsole,
} from "./support/tidy-rules.js";

/** What `rule` says about a file with this text, as `line message`. */
function said(rule: FileRule, path: string, text: string): string[] {
  return rule(sourceFile(path, text)).map(({ line, message }) => `${line} ${message}`);
}

const block = (count: number) => "  work();\n".repeat(count);

describe("rules — size", () => {
  it("counts lines against 400", () => {
    expect(said(fileLength, "store/a.ts", "x;\n".repeat(400))).toEqual([]);
    expect(said(fileLength, "store/a.ts", "x;\n".repeat(401))).toEqual([
      "401 401 lines, at most 400",
    ]);
  });

  it("wants a comment first in a file of more than 80 lines", () => {
    expect(said(header, "store/a.ts", "x;\n".repeat(80))).toEqual([]);
    expect(said(header, "store/a.ts", "x;\n".repeat(81))).toEqual([
      "1 81 lines without a header comment",
    ]);
    expect(said(header, "store/a.ts", `// Log — ...\n${"x;\n".repeat(81)}`)).toEqual([]);
    expect(
      said(header, "scripts/a.mjs", `#!/usr/bin/env node\n// Runs.\n${"x;\n".repeat(81)}`),
    ).toEqual([]);
  });

  it("counts columns as characters, and spares an address", () => {
    expect(said(lineWidth, "store/a.ts", `// ${"é".repeat(97)}\n`)).toEqual([]);
    expect(said(lineWidth, "store/a.ts", `\n// ${"é".repeat(98)}\n`)).toEqual(["2 101 columns"]);
    expect(said(lineWidth, "store/a.ts", `// https://example.org/${"a".repeat(90)}`)).toEqual([]);
  });

  it.each([
    ["a function", "export function run(a: number): void {", "}"],
    [
      "a generic function",
      "export async function run<T extends { a: 1 }>(a: T): Promise<T> {",
      "}",
    ],
    ["an arrow", "const run = async (a: number): Promise<void> => {", "};"],
    ["a short arrow", "list.map((item) => {", "});"],
    ["a method", "class A {\nasync #run(a: number): Promise<Map<string, number>> {", "}\n}"],
    ["a computed method", "class A {\n[Symbol.asyncDispose](): Promise<void> {", "}\n}"],
    ["parameters on lines of their own", "function run(\n  a: number,\n): void {", "}"],
    ["a result type on lines of its own", "function run(): {\n  a: number;\n} {", "}"],
  ])("counts the lines of %s", (_kind, open, close) => {
    const extra = open.split("\n").filter((line) => !line.startsWith("class")).length - 1;
    expect(said(functionLength, "store/a.ts", `${open}\n${block(68 - extra)}${close}`)).toEqual([]);
    const tooLong = said(functionLength, "store/a.ts", `${open}\n${block(69 - extra)}${close}`);
    expect(tooLong).toEqual([expect.stringMatching(/^[12] a function of 71 lines$/)]);
  });

  it.each([
    ["a class", "export class Log extends Base(1) {", "}"],
    ["a literal", "const table = {", "};"],
    ["an argument", "launch(topology, {", "});"],
    ["a group of tests", 'describe("log — torn tail", () => {', "});"],
    ["a loop", "for (const a of list) {", "}"],
    ["a branch", "if (a(1)) {\n} else if (b(2)) {", "}"],
  ])("does not take %s for a function", (_kind, open, close) => {
    expect(said(functionLength, "store/a.ts", `${open}\n${block(90)}${close}`)).toEqual([]);
  });
});

describe("rules — words", () => {
  it.each([
    "// TODO: later",
    "/* FIXME */",
    "// @ts-ignore",
    "// @ts-expect-error",
    "// biome-ignore lint: no",
    'it.only("x", run);',
    'describe.skip("x", run);',
    'it.concurrent.skip("x", run);',
    "let a: any;",
    "let a: any[];",
    "const b = a as any;",
    "let a: Map<string, any>;",
    'throw new Error("not implemented");',
  ])("refuses %s", (text) => {
    expect(said(bannedWords, "store/a.ts", text)).toEqual([expect.stringMatching(/^1 "/)]);
  });

  it.each([
    'const text = "TODO";',
    "// any thread may read",
    "expect(a).toEqual(expect.any(Number));",
    "const r = /any/;",
    "list.skip(2);",
    "Promise.any(list);",
  ])("lets %s pass", (text) => {
    expect(said(bannedWords, "store/a.ts", text)).toEqual([]);
  });

  it("lets a type test expect an error", () => {
    expect(
      said(bannedWords, "tests/types/a.test.ts", "// @ts-expect-error: no such store"),
    ).toEqual([]);
  });

  it.each([
    "const a = b as Key;",
    "const a = f(b) as unknown;",
    "const a = `x` as Name;",
    "// cast: far away\n\nconst a = b as Key;",
    "const a = [b as { c: 1 }];",
  ])("wants a reason for %s", (text) => {
    const line = text.split("\n").length;
    expect(said(castReason, "store/a.ts", text)).toEqual([
      `${line} a cast without a \`// cast:\` reason`,
    ]);
  });

  it.each([
    "const a = b as Key; // cast: checked above",
    "// cast: checked above\nconst a = b as Key;",
    "// cast: checked above,\n// as the codec says\nconst a = b as Key;",
    "const table = { a: 1 } as const;",
    'import * as all from "./a.js";',
    'import { a as b } from "./a.js";',
    'import {\n  type a as b,\n} from "./a.js";',
    'export { a as b } from "./a.js";',
    "type T = { [K in Keys as Name<K>]: 1 };",
    "// as Key\nconst a = 'b as Key';",
  ])("takes %s for no cast, or for one with a reason", (text) => {
    expect(said(castReason, "store/a.ts", text)).toEqual([]);
  });

  it.each([
    ["store/utils.ts", "says nothing"],
    ["tests/support/helpers.ts", "says nothing"],
    ["store/types.d.ts", "says nothing"],
    ["store/index.ts", "a barrel inside a folder"],
    ["store/keyCodec.ts", "not kebab-case"],
    ["store/key_codec.ts", "not kebab-case"],
  ])("refuses a file called %s", (path, message) => {
    expect(said(fileName, path, "")).toEqual([`1 ${message}`]);
  });

  it.each(["index.ts", "store/key-codec.ts", "tests/types/store.test.ts"])("accepts %s", (path) => {
    expect(said(fileName, path, "")).toEqual([]);
  });
});

describe("rules — what comes from outside", () => {
  it("keeps the console to examples, benchmarks and scripts", () => {
    expect(said(noConsole, "store/a.ts", "\nconsole.log(1);")).toEqual(["2 uses the console"]);
    expect(said(noConsole, "launch.ts", "console.log(1);")).toEqual(["1 uses the console"]);
    expect(said(noConsole, "examples/bank/main.ts", "console.log(1);")).toEqual([]);
    expect(said(noConsole, "store/a.ts", "// console.log(1)")).toEqual([]);
  });

  it.each([
    "const now = Date.now();",
    "const now = new Date();",
    "const now = performance.now();",
    "const a = Math.random();",
    "setTimeout(run, 1);",
    'import { setInterval } from "node:timers";',
    "const id = randomUUID();",
  ])("refuses %s in the library", (text) => {
    expect(said(noAmbient, "runtime/task.ts", text)).toEqual([expect.stringMatching(/^1 uses /)]);
    expect(said(noAmbient, "runtime/system.ts", text)).toEqual([]);
    expect(said(noAmbient, "tests/unit/a.test.ts", text)).toEqual([]);
  });

  it("accepts time that comes through a parameter", () => {
    const text = "system.setTimeout(run, system.now()); new Date(at); // not Date.now()";
    expect(said(noAmbient, "runtime/task.ts", text)).toEqual([]);
  });

  it.each([
    ["base/a.ts", "../store/key.js"],
    ["store/a.ts", "../runtime/task.js"],
    ["runtime/a.ts", "../agents/node.js"],
    ["runtime/a.ts", "../index.js"],
    ["agents/a.ts", "../runtime/lane.js"],
    ["agents/a.ts", "../runtime/router.js"],
    ["testing/a.ts", "../tests/support/a.js"],
    ["launch.ts", "./testing/index.js"],
    ["examples/bank/main.ts", "../../store/key.js"],
    ["examples/bank/main.ts", "../counter/topology.js"],
  ])("refuses that %s imports %s", (path, specifier) => {
    for (const text of [`import { a } from "${specifier}";`, `await import("${specifier}");`]) {
      expect(said(importDirections, path, text)).toHaveLength(1);
    }
  });

  it.each([
    ["store/a.ts", 'import { a } from "../base/errors.js";'],
    ["agents/a.ts", 'import { a } from "../runtime/topology.js";'],
    ["agents/a.ts", 'import type { Router } from "../runtime/router.js";'],
    ["agents/a.ts", 'import { type Router } from "../runtime/router.js";'],
    ["testing/a.ts", 'import { launch } from "../launch.js";'],
    ["examples/bank/main.ts", 'import { a } from "../../index.js";'],
    ["examples/bank/main.ts", 'const url = new URL("./topology.js", import.meta.url);'],
    ["store/a.ts", 'const folder = new URL("../", import.meta.url);'],
    ["examples/bank/main.ts", 'import { readFileSync } from "node:fs";'],
    ["tests/unit/a.test.ts", 'import { a } from "../../runtime/task.js";'],
    ["store/a.ts", '// import { a } from "../agents/declare/node.js";'],
  ])("accepts in %s: %s", (path, text) => {
    expect(said(importDirections, path, text)).toEqual([]);
  });

  it.each([
    ["lmdb", "store/log.ts", "store/environment.ts"],
    ["cbor-x", "runtime/lane-encoding.ts", "store/value.ts"],
    ["comlink/dist/esm/node-adapter.mjs", "agents/client/client.ts", "runtime/control.ts"],
    ["piscina", "store/checkpoint.ts", "runtime/checkpoint-pool.ts"],
  ])("keeps %s out of %s", (specifier, path, home) => {
    const text = `import { a } from "${specifier}";`;
    expect(said(packageImports, path, text)).toEqual([expect.stringMatching(/^1 imports /)]);
    expect(said(packageImports, home, text)).toEqual([]);
  });
});

describe("rules — what nobody needs", () => {
  const files = (texts: Readonly<Record<string, string>>) =>
    Object.entries(texts).map(([path, text]) => sourceFile(path, text));

  it("finds a file that no entry leads to, also a pair that holds on to each other", () => {
    const found = deadFiles(
      files({
        "index.ts": 'export { a } from "./store/a.js";',
        "store/a.ts": 'const url = new URL("./job.js", import.meta.url);',
        "store/job.ts": 'import type { B } from "./b.js";',
        "store/b.ts": "export type B = 1;",
        "store/c.ts": 'import "./d.js";',
        "store/d.ts": 'import "./c.js";',
      }),
      (path) => path === "index.ts",
    );
    expect(found.map(({ path }) => path)).toEqual(["store/c.ts", "store/d.ts"]);
  });

  it("finds exports that nobody imports", () => {
    const found = unusedExports(
      files({
        "store/a.ts": [
          "export function used(options: Options): void {}",
          "export function lonely(): void {}",
          "export const renamed = 1;",
          "export interface Options {}",
          "export interface Forgotten {}",
          "class Late {}",
          "export { Late };",
        ].join("\n"),
        "runtime/b.ts": 'import { used, renamed as other } from "../store/a.js";',
        "store/whole.ts": "export const a = 1;",
        "runtime/c.ts": 'import * as whole from "../store/whole.js";',
        "base/d.ts": "export const e = 1;",
        "tests/thread/d.thread.test.ts": 'import { e } from "../../dist/base/d.js";',
      }),
    );
    expect(lines(found)).toEqual([
      "store/a.ts:2 nobody imports lonely",
      "store/a.ts:5 nobody imports Forgotten",
      "store/a.ts:7 nobody imports Late",
    ]);
  });
});

describe("masks — code and comments", () => {
  const words = (text: string) =>
    findPattern(sourceFile("a.ts", text), "code", /\bword\b/g, () => "found").length;

  it.each([
    ['"word \\" word"', 0],
    ["'word' + word", 1],
    [`\`word \${word + \`word \${word}\`} word\``, 2],
    [`\`\${{ a: word }.a}\` + word`, 2],
    ["// word\nword /* word\nword */ word", 2],
    ["a = /word[/]word/g; word", 1],
    ["(a + b) / word / 2", 1],
    ["return /word/", 0],
    ['"unfinished word\nword', 1],
  ])("finds in %j the code alone", (text, count) => {
    expect(words(text)).toBe(count);
  });

  it("keeps every offset", () => {
    const text = readFileSync(import.meta.filename, "utf8");
    const { code, comments } = sourceFile("a.ts", text);
    expect([code.length, comments.length]).toEqual([text.length, text.length]);
    expect(code.split("\n").length).toBe(text.split("\n").length);
  });

  it("reads the names that an import takes", () => {
    const file = sourceFile(
      "a.ts",
      'import x, { a as b, type C } from "p";\nimport type D from "q";',
    );
    expect(importsOf(file).map(({ names, typeOnly }) => [names, typeOnly])).toEqual([
      [["default", "a", "C"], false],
      [["default"], true],
    ]);
  });
});
