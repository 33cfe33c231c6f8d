// Mutants — rules of durability, each broken in a copy of `dist`: a power cut must show it.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { breakCopy, type Mutant } from "../mutant.js";
import { runSeries } from "./series.js";

export const mutants: readonly Mutant[] = [
  {
    name: "a frame is not synced, on a thread of one task",
    file: "store/segment.js",
    find: "fdatasyncSync(this.#descriptor);",
    replace: "",
  },
  {
    name: "a frame is not synced, on a thread of several tasks",
    file: "store/segment.js",
    find: "fdatasync(this.#descriptor, (error) => (error === null ? resolve() : reject(error)));",
    replace: "resolve();",
  },
  {
    name: "a frame is acknowledged while its sync is under way",
    file: "store/segment.js",
    find: "fdatasync(this.#descriptor, (error) => (error === null ? resolve() : reject(error)));",
    replace: "fdatasync(this.#descriptor, () => {}); resolve();",
  },
  {
    name: "the header of a segment is not synced before its frames",
    file: "store/segment.js",
    find: "fsyncSync(descriptor);",
    replace: "",
  },
  {
    name: "the name of a segment is not synced",
    file: "store/segment.js",
    find: "syncFolder(join(taskDirectory, logFolder));",
    replace: "",
  },
  {
    name: "a segment is deleted before its checkpoint",
    file: "store/task-storage.js",
    find: "await runCheckpoint(job);",
    replace: "deleteSegment(directory, segment.file); await runCheckpoint(job);",
    also: {
      find: "await segment.close();\n                deleteSegment(directory, segment.file);",
      replace: "await segment.close();",
    },
  },
  {
    name: "the environment is not synced before a segment is deleted",
    file: "store/environment.js",
    find: "overlappingSync: false,",
    replace: "overlappingSync: false, noSync: true,",
  },
  {
    name: "a new environment is not synced before it gets its name",
    file: "store/environment-file.js",
    find: "syncFile(join(unfinished, dataFile));",
    replace: "",
  },
  {
    name: "the record of the directory is not synced before it gets its name",
    file: "runtime/directory.js",
    find: "await file.sync();",
    replace: "",
  },
  {
    name: "the name of the directory is not synced",
    file: "runtime/directory.js",
    find: "await syncDirectory(folder);",
    replace: "",
  },
  {
    name: "a frame is replayed whatever its checksum says",
    file: "store/frame.js",
    find: "if (checksumOf(bytes, at, byteLength) !== view.getUint32(28, true))",
    replace: "if (false)",
  },
];

export interface MutantRun {
  readonly folder: string;
  readonly seed: number;
  /** Images before a mutant counts as alive. */
  readonly images: number;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** Runs one mutant; what has shown it, or `undefined` when nothing has. */
export async function killerOf(mutant: Mutant, run: MutantRun): Promise<string | undefined> {
  const { folder, seed, images, jobs, signal } = run;
  const found = new AbortController();
  let killer: string | undefined;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    await runSeries({
      dist: breakCopy(mutant, join(folder, "copy")),
      folder: join(folder, "recordings"),
      seed,
      images,
      jobs,
      only: 0,
      signal: AbortSignal.any([signal, found.signal]),
      verdict: ({ number, shown, findings: [first] }) => {
        if (first === undefined || killer !== undefined) return;
        killer = `image ${number} (${shown}): ${first.wrong}: ${first.what}`;
        found.abort(new Error("it was noticed"));
      },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return killer;
}
