// The style rules about how files hang together: who may import whom and which packages, and what
// nobody imports. The rules about single files are in tidy-rules.ts.
//
// The tables below are the layering of the project. Think hard before changing them: a new row for
// a folder, or a new file for a package, is a decision that docs/decisions/ should explain.

import { posix } from "node:path";
import { lineAt, type Problem, type SourceFile } from "./source-file.js";
import { type FileRule, folderOf, isLibrary } from "./tidy-rules.js";

/** Folders whose files a folder may import, besides its own. */
const folderImports: Readonly<Record<string, readonly string[]>> = {
  base: [],
  store: ["base"],
  runtime: ["base", "store"],
  agents: ["base", "store", "runtime"],
  testing: ["base", "store", "runtime", "agents", "root"],
  root: ["base", "store", "runtime", "agents"],
};

/** The files of the runtime that agents may import: the seams made for them. */
export const runtimeSeams: ReadonlySet<string> = new Set([
  "runtime/call-id.ts",
  "runtime/compute-call.ts",
  "runtime/lane-encoding.ts",
  "runtime/node-operations.ts",
  "runtime/operation-id.ts",
  "runtime/operation-journal.ts",
  "runtime/partition.ts",
  "runtime/store-client.ts",
  "runtime/task-program.ts",
  "runtime/topology-parts.ts",
  "runtime/topology.ts",
]);

/** The only library files that may import these packages. */
export const packageHomes: Readonly<Record<string, readonly string[]>> = {
  lmdb: ["store/environment.ts"],
  "cbor-x": ["store/value.ts"],
  comlink: ["runtime/control.ts", "runtime/task-thread.ts"],
  piscina: ["runtime/compute.ts", "runtime/checkpoint-pool.ts"],
  // Optional for users: nothing that `partita/testing` leads to may need it.
  "fast-check": [
    "testing/key-arbitraries.ts",
    "testing/store-call-arbitraries.ts",
    "testing/store-commands.ts",
    "testing/value-arbitraries.ts",
  ],
};

/** What users can import: the entries of package.json's `exports`. */
export const publishedEntries: ReadonlySet<string> = new Set([
  "index.ts",
  "testing/arbitraries.ts",
  "testing/index.ts",
]);

/** One `import`, `export … from`, `import()` or `new URL()` of a file. */
export interface Import {
  readonly specifier: string;
  readonly offset: number;
  /** Every binding is only used as a type. */
  readonly typeOnly: boolean;
  /** The exports it names; "all" when it takes the whole module. */
  readonly names: readonly string[] | "all";
}

/** `name`, `{ a, b }`, `* as all` or `name, { a, b }`. */
const importList = String.raw`(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s*as\s+[\w$]+)?)|[\w$]+`;
const fromPattern = new RegExp(
  String.raw`\b(?:import|export)\s+(type\s+)?(${importList})\s*from\s*(["'])`,
  "g",
);
const wholePattern = /\bimport\s*\(?\s*(["'])|\bnew URL\(\s*(["'])/g;

/** What a file imports, in the order of the text. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  for (const match of file.code.matchAll(fromPattern)) {
    const [all, typeWord, list = ""] = match;
    const specifier = literalAt(file, match.index + all.length - 1);
    found.push({ specifier, offset: match.index, ...namesOf(list, typeWord !== undefined) });
  }
  for (const match of file.code.matchAll(wholePattern)) {
    const specifier = literalAt(file, match.index + match[0].length - 1);
    if (match[0].startsWith("new") && !/^\.{1,2}\/.*\.m?[jt]s$/.test(specifier)) continue;
    found.push({ specifier, offset: match.index, typeOnly: false, names: "all" });
  }
  return found.sort((a, b) => a.offset - b.offset);
}

/** The file of the repository that an import means; undefined for a package. */
export function targetOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const target = posix.join(posix.dirname(path), specifier);
  // Compiled files stand for their sources: thread tests load them.
  return target.replace(/^dist\//, "").replace(/\.js$/, ".ts");
}

/** Folders import downwards only; examples see what users see. */
export const importDirections: FileRule = (file) =>
  importsOf(file).flatMap((item) => {
    const target = targetOf(file.path, item.specifier);
    const complaint = target === undefined ? undefined : forbidden(file.path, target, item);
    return complaint === undefined ? [] : [problemAt(file, item, complaint)];
  });

function forbidden(path: string, target: string, item: Import): string | undefined {
  const folder = folderOf(path);
  const targetFolder = folderOf(target);
  if (folder === "examples") return forbiddenForExample(path, target);
  const allowed = folderImports[folder];
  if (allowed === undefined || path.endsWith(".config.ts")) return undefined;
  if (folder !== targetFolder && !allowed.includes(targetFolder)) {
    return `${folder} imports ${targetFolder} (${item.specifier})`;
  }
  if (folder === "agents" && targetFolder === "runtime") {
    if (target === "runtime/router.ts" && item.typeOnly) return undefined;
    if (!runtimeSeams.has(target)) return `agents import ${target}, which is not made for them`;
  }
  return undefined;
}

function forbiddenForExample(path: string, target: string): string | undefined {
  const own = path.split("/").slice(0, 2).join("/");
  if (publishedEntries.has(target) || target.startsWith(`${own}/`)) return undefined;
  return `an example imports ${target}, which users cannot`;
}

/** Each storage, codec and thread package is known to one or two files. */
export const packageImports: FileRule = (file) =>
  importsOf(file).flatMap((item) => {
    const name = packageOf(item.specifier);
    if (name === undefined || !isLibrary(file.path)) return [];
    const homes = packageHomes[name];
    if (homes === undefined || homes.includes(file.path)) return [];
    return [problemAt(file, item, `imports ${name}; only ${homes.join(" and ")} may`)];
  });

/** Every file that nothing leads to from the `entries`; none while no entry exists yet. */
export function deadFiles(
  files: readonly SourceFile[],
  isEntry: (path: string) => boolean,
): Problem[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const waiting = files.filter((file) => isEntry(file.path));
  const reached = new Set(waiting.map((file) => file.path));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const item of importsOf(file)) {
      const target = byPath.get(targetOf(file.path, item.specifier) ?? "");
      if (target === undefined || reached.has(target.path)) continue;
      reached.add(target.path);
      waiting.push(target);
    }
  }
  return files
    .filter((file) => reached.size > 0 && !reached.has(file.path))
    .map((file) => ({ path: file.path, line: 1, message: "no entry point leads to this file" }));
}

/**
 * Exports of `base`, `store`, `runtime` and `agents` that no other file imports. A type that its
 * own file mentions again is part of the signature of another export, and stays.
 */
export function unusedExports(files: readonly SourceFile[]): Problem[] {
  const used = new Map<string, Set<string> | "all">();
  for (const file of files) {
    for (const { specifier, names } of importsOf(file)) {
      const target = targetOf(file.path, specifier);
      const before = target === undefined ? "all" : (used.get(target) ?? new Set());
      if (target === undefined || before === "all") continue;
      used.set(target, names === "all" ? "all" : new Set([...before, ...names]));
    }
  }
  const watched = files.filter((file) => /^(?:base|store|runtime|agents)\//.test(file.path));
  return watched.flatMap((file) => {
    const names = used.get(file.path) ?? new Set<string>();
    if (names === "all") return [];
    return exportsOf(file)
      .filter(({ name }) => !names.has(name))
      .filter(({ name, isType }) => !isType || mentions(file.code, name) < 2)
      .map(({ name, offset }) => problemAt(file, { offset }, `nobody imports ${name}`));
  });
}

const declarationPattern =
  /^export\s+(?:abstract\s+|async\s+)*(function\*?|class|const|let|interface|type)\s+([\w$]+)/gm;
const listPattern = /^export\s+(?:type\s+)?\{([^}]*)\}/gm;

function exportsOf(file: SourceFile): { name: string; isType: boolean; offset: number }[] {
  const declared = [...file.code.matchAll(declarationPattern)].map((match) => ({
    name: match[2] ?? "",
    isType: match[1] === "interface" || match[1] === "type",
    offset: match.index,
  }));
  const listed = [...file.code.matchAll(listPattern)].flatMap((match) =>
    bindings(match[1] ?? "").map(({ outer }) => ({
      name: outer,
      isType: false,
      offset: match.index,
    })),
  );
  return [...declared, ...listed];
}

function mentions(code: string, name: string): number {
  return code.split(/[^\w$]+/).filter((word) => word === name).length;
}

function namesOf(list: string, typeWord: boolean): Pick<Import, "typeOnly" | "names"> {
  if (list.includes("*")) return { typeOnly: typeWord, names: "all" };
  const braced = /\{([^}]*)\}/.exec(list)?.[1];
  const named = bindings(braced ?? "");
  const hasDefault = !list.startsWith("{");
  return {
    typeOnly: typeWord || (!hasDefault && named.every(({ isType }) => isType)),
    names: [...(hasDefault ? ["default"] : []), ...named.map(({ inner }) => inner)],
  };
}

/** `a as b, type c`: what the module calls them (inner) and what the list calls them (outer). */
function bindings(list: string): { inner: string; outer: string; isType: boolean }[] {
  return list
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
    .map((item) => {
      const [inner = "", outer = inner] = item.replace(/^type\s+/, "").split(/\s+as\s+/);
      return { inner, outer, isType: /^type\s/.test(item) };
    });
}

/** The string literal whose opening quote is at `offset`. */
function literalAt(file: SourceFile, offset: number): string {
  const end = file.text.indexOf(file.text.charAt(offset), offset + 1);
  return file.text.slice(offset + 1, end);
}

function packageOf(specifier: string): string | undefined {
  if (/^(?:\.|node:)/.test(specifier)) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function problemAt(file: SourceFile, place: { offset: number }, message: string): Problem {
  return { path: file.path, line: lineAt(file, place.offset), message };
}
