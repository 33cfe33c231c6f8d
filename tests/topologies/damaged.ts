// Damaged — a topology that something is wrong with, and a process that runs into it.
//
//   node damaged.js read <directory>       looks at the row `victim` from the launching thread
//   node damaged.js update <directory>     asks the owner of the row to change it
//   node damaged.js invariant <directory>  breaks an invariant in a timer of a task thread
//
// It says what its caller was told, and would then go on for ever.

import { isMainThread } from "node:worker_threads";
import { assert } from "../../base/invariant.js";
import {
  agent,
  keyValueStore,
  launch,
  node,
  PartitaError,
  string,
  topology,
  type,
} from "../../index.js";

const rows = keyValueStore({
  key: string,
  value: type<string>(),
  updates: { append: (row: string | undefined, more: string) => (row ?? "") + more },
});

const broken = agent({
  entry: "wait",
  result: type<string>(),
  nodes: { wait: node({ input: type<string>() }) },
}).implement({
  async wait(_ctx, what) {
    setTimeout(() => assert(false, what), 0);
    await new Promise(() => {});
  },
});

const damaged = topology("damaged", import.meta.url, { stores: { rows }, agents: { broken } });
export default damaged;

async function main(mode: string, directory: string): Promise<void> {
  const runtime = await launch(damaged, { directory, tasks: 1, threads: 1 });
  process.stdout.write("serves\n");
  setInterval(() => {}, 1_000);
  try {
    if (mode === "read") await runtime.store("rows").get("victim");
    else if (mode === "update") await runtime.store("rows").update("append", "victim", "!");
    else await runtime.agent("broken").invoke("broken in a timer");
    process.stdout.write("resolved\n");
  } catch (error) {
    process.stdout.write(`${PartitaError.is(error) ? error.message : String(error)}\n`);
  }
}

const [, file = "", mode = "", directory = ""] = process.argv;
if (isMainThread && file.endsWith("damaged.js")) await main(mode, directory);
