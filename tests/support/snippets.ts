// Snippets — the code blocks of a Markdown page as files, compiled and run as a reader would.
//
// A block ```ts file=NAME is a file; a block ```text output=NAME is what running it prints. The
// files are put below dist/, where `import "partita"` finds this package as it finds it for a user.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const root = new URL("../../", import.meta.url).pathname;

/** One block that names a file. */
export interface Snippet {
  readonly kind: "file" | "output";
  readonly name: string;
  readonly text: string;
}

/** The blocks of a page that name a file, in order. */
export function snippetsOf(page: string): readonly Snippet[] {
  const text = readFileSync(join(root, page), "utf8");
  const blocks = text.matchAll(/^```(?:ts|text) (file|output)=(\S+)\n(.*?)^```$/gms);
  return Array.from(blocks, ([, kind, name, body]) => ({
    kind: kind === "file" ? "file" : "output",
    name: name ?? "",
    text: body ?? "",
  }));
}

/**
 * Compiles the files of a page together. Throws with the compiler's words when they do not compile.
 */
export function compileSnippets(page: string, snippets: readonly Snippet[]): string {
  const folder = join(root, "dist", ".snippets", basename(page, ".md"));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = snippets.filter(({ kind }) => kind === "file");
  for (const { name, text } of files) writeFileSync(join(folder, name), text);
  const compilerOptions = {
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
  };
  const config = { compilerOptions, files: files.map(({ name }) => name) };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  run(join(root, "node_modules", ".bin", "tsc"), ["-p", folder], folder);
  return folder;
}

/** Runs a compiled file in `directory` and returns what it printed. */
export function runSnippet(folder: string, name: string, directory: string): string {
  return run(process.execPath, [join(folder, name.replace(/\.ts$/, ".js"))], directory);
}

function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe", timeout: 25_000 });
  } catch (error) {
    if (!(error instanceof Error) || !("stdout" in error)) throw error;
    const stderr = "stderr" in error ? String(error.stderr) : "";
    throw new Error(`${command} ${args.join(" ")}\n${String(error.stdout)}${stderr}`, {
      cause: error,
    });
  }
}
