// Bundle — what the package publishes is one library, whatever entry a program or a thread imports.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PartitaError, topology } from "partita";
import { simulate } from "partita/testing";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const folder = join(root, "dist", "bundle");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
const scripts = files.filter((file) => file.endsWith(".js"));

/** What a call throws. */
function thrownBy(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

function textOf(file: string): string {
  return readFileSync(join(folder, file), "utf8");
}

describe("bundle — what is published", () => {
  it("is a few files that need no other file of this repository", () => {
    expect(scripts.length).toBeLessThan(12);
    const imports = scripts.flatMap((file) => {
      const from = textOf(file).matchAll(/(?:from |import\(?)"(\.[^"]+)"/g);
      return Array.from(from, ([, specifier]) => join(folder, file, "..", specifier ?? ""));
    });
    expect(imports.length).toBeGreaterThan(4);
    expect(imports.filter((path) => !existsSync(path) || !path.startsWith(folder))).toEqual([]);
  });

  it("has every file that a thread is started with beside the one that starts it", () => {
    const started = scripts.flatMap((file) => {
      const urls = textOf(file).matchAll(/new URL\("(\.\/[^"]+)", import\.meta\.url\)/g);
      return Array.from(urls, ([, specifier]) => join(folder, file, "..", specifier ?? ""));
    });
    const names = started.map((path) => path.slice(folder.length + 1)).sort();
    const threads = ["checkpoint", "compute", "task", "watchdog"];
    expect(names).toEqual(threads.map((name) => `${name}-thread.js`));
    expect(started.filter((path) => !existsSync(path))).toEqual([]);
  });

  it("loads the package of the pools when there is work for them, not before", () => {
    const loaders = scripts.filter((file) => textOf(file).includes('import("piscina")'));
    expect(loaders.length).toBeGreaterThan(0);
    expect(scripts.filter((file) => / from "piscina"/.test(textOf(file)))).toEqual([]);
  });

  it("is one library for those who import several entries", async () => {
    const declared = topology("one", import.meta.url, {});
    await using runtime = await simulate(declared, { seed: 1 });
    // @ts-expect-error It has no stores.
    expect(thrownBy(() => runtime.store("none"))).toBeInstanceOf(PartitaError);
  });

  it("leaves itself out of the stacks of its errors", () => {
    // In a process of its own: here, frames are shown where the sources have them.
    const script = `
      import { topology } from "partita";
      function mine() { topology("", "file:///none.js", {}); }
      try { mine(); } catch (error) { console.log(error.stack); }
    `;
    const args = ["--input-type=module", "--eval", script];
    const stack = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    expect(stack.match(/^ {4}at .*$/gm)?.[0]).toContain("at mine");
  });
});
