// Slow loading — a module that one task thread is long about, while it cannot be loaded on others.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { keyValueStore, string, topology, type } from "../../index.js";

/** Environment variables: a folder for what threads say, and how long the first one takes. */
export const loading = { folder: "PARTITA_TEST_LOADING", ms: "PARTITA_TEST_LOADING_MS" } as const;

/** Exists in the folder once the first one has loaded the module. */
export const loadedFile = "loaded";

const folder = process.env[loading.folder];
if (!isMainThread && folder !== undefined) {
  try {
    mkdirSync(join(folder, "first"));
  } catch (cause) {
    throw new Error("there is another thread that loads this module", { cause });
  }
  const end = performance.now() + Number(process.env[loading.ms]);
  while (performance.now() < end);
  writeFileSync(join(folder, loadedFile), "");
}

const texts = keyValueStore({ key: string, value: type<string>() });

export default topology("slow-loading", import.meta.url, { stores: { texts } });
