// Bundle — the library as a few files, which is what the package exports.
//
// Each thread loads our files for itself, and one takes Node half a millisecond: with 250 of them
// that was most of a launch. So the published entries, and those that threads begin with, are put
// together into a few: `dist/bundle`. What the compiler makes of each source is what tests, trials
// and examples of this repository run.
//
// Invariants:
//   B1. What several entries need is in a file that they share: a thread has every class and every
//       symbol once, whatever a program imports.
//   B2. Entries of threads lie beside the files that start them: `./task-thread.js` is found from
//       a bundle as it is from `runtime`.
//   B3. `dist/bundle` is written over, never emptied; what no build writes any more goes last.

import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "dist", "bundle");

/**
 * By the name in `dist/bundle`, what is bundled together: what package.json exports and the threads
 * that run users' code; each thread that needs little of it, and shares nothing but data.
 */
const bundles = [
  {
    index: "index.ts",
    "testing/index": "testing/index.ts",
    "testing/arbitraries": "testing/arbitraries.ts",
    "task-thread": "runtime/task-thread.ts",
    "compute-thread": "runtime/compute-thread.ts",
  },
  { "watchdog-thread": "runtime/watchdog-thread.ts" },
  { "checkpoint-thread": "runtime/checkpoint-thread.ts" },
];

/** Writes one of them and returns the names of its files. @param {Record<string, string>} input */
async function write(input) {
  const bundle = await rolldown({
    cwd: root,
    platform: "node",
    input,
    // Packages stay packages: of theirs, too, everything is there once.
    external: (id) => !id.startsWith(".") && !id.startsWith("/"),
    resolve: { extensionAlias: { ".js": [".ts"] } },
  });
  const library = { name: "library", test: /\/(?:base|store|runtime|agents)\/(?!.*-thread\.ts$)/ };
  const { output } = await bundle.write({
    dir: folder,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    sourcemap: true,
    // What entries share in one file (B1): each file more takes time in each thread.
    ...(Object.keys(input).length > 1 && { codeSplitting: { groups: [library] } }),
  });
  await bundle.close();
  return output.map(({ fileName }) => fileName);
}

const written = new Set((await Promise.all(bundles.map(write))).flat());
for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
  const file = name.replaceAll("\\", "/");
  if (/\.(?:js|map)$/.test(file) && !written.has(file)) rmSync(join(folder, name));
}
