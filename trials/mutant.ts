// Mutant — a copy of the compiled `dist` with one rule broken, to see that a command notices.
//
// Invariants:
//   B1. What is replaced is there exactly once: a mutant that has become another one is an error,
//       never a rule that silently stays whole.

import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One rule, and how to break it in a compiled file. */
export interface Mutant {
  readonly name: string;
  /** From `dist`, as in "store/segment.js". */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** A second place of the same file that the first makes necessary. */
  readonly also?: { readonly find: string; readonly replace: string };
}

/** `dist` of the checkout that runs. */
const dist = fileURLToPath(new URL("../", import.meta.url));

/** Copies `dist` into a folder, broken by a mutant, and returns the copy. */
export function breakCopy(mutant: Mutant, folder: string): string {
  const copy = join(folder, "dist");
  mkdirSync(folder, { recursive: true });
  cpSync(dist, copy, { recursive: true, filter: (path) => !/\.(?:d\.ts|map)$/.test(path) });
  symlinkSync(join(dist, "..", "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const path = join(copy, mutant.file);
  writeFileSync(path, broken(mutant, readFileSync(path, "utf8")));
  return copy;
}

/** The text of a file with the rule broken. */
export function broken({ name, file, find, replace, also }: Mutant, text: string): string {
  let changed = text;
  for (const edit of [{ find, replace }, ...(also === undefined ? [] : [also])]) {
    const parts = changed.split(edit.find);
    if (parts.length !== 2) {
      throw new Error(`mutant "${name}": ${file} has ${parts.length - 1} times "${edit.find}"`);
    }
    changed = parts.join(edit.replace);
  }
  return changed;
}
