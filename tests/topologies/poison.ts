// Poison — a topology whose node throws, or ends its thread or process, as long as a file is there;
// and, when it is the program of a process, one launch of it.
//
//   node poison.js <directory> <cureFile>   prints `begun <id>` or `asking <id>`, then the outcome

import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
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

/** What a node is asked to do. */
export interface Dose {
  readonly key: string;
  readonly n: number;
  /** Until `cureFile` exists: throw at once, or after `served` has grown with each run, or die. */
  readonly poison: "none" | "throw" | "throwBehindOthers" | "exit";
  readonly cureFile: string;
  /** Gets a line for each run. */
  readonly logFile: string;
}

const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});

/** Waits a turn of the event loop: whatever else the thread has to do goes on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const worker = agent({
  stores: { counts },
  entry: "work",
  result: type<number>(),
  maxRetries: 5,
  nodes: { work: node({ input: type<Dose>(), key: ({ key }) => key }) },
}).implement({
  async work(ctx, { key, n, poison, cureFile, logFile }) {
    appendFileSync(logFile, `${key} ${n} ${ctx.nodeInvocationId}\n`);
    const runs = readFileSync(logFile, "utf8")
      .split("\n")
      .filter((line) => line.startsWith(`${key} ${n} `));
    // Takes effect once, however often it is run.
    await ctx.stores.counts.update("add", key, 1);
    if (poison !== "none" && !existsSync(cureFile)) {
      if (poison === "exit") process.exit(9);
      // Each run waits until more of the others have been served: it would wait for ever if they
      // waited for it.
      if (poison === "throwBehindOthers") {
        while ((await ctx.stores.counts.get("served", 0)) < runs.length) await turn();
      }
      throw new Error(`poisoned ${key} ${n}, run ${runs.length}`);
    }
    await ctx.stores.counts.update("add", "served", 1);
    ctx.result(n);
  },
});

const poison = topology("poison", import.meta.url, {
  stores: { counts },
  agents: { worker },
});

export default poison;

async function main(directory: string, cureFile: string): Promise<void> {
  const idFile = join(directory, "..", "id.txt");
  const logFile = join(directory, "..", "log.txt");
  const runtime = await launch(poison, { directory, tasks: 2, threads: 0 });
  let id: string;
  if (existsSync(idFile)) {
    id = readFileSync(idFile, "utf8");
    process.stdout.write(`asking ${id}\n`);
  } else {
    const dose: Dose = { key: "bad", n: 1, poison: "exit", cureFile, logFile };
    // The node may end the process before `initiate` resolves.
    const begun = runtime.agent("worker").initiate(dose);
    id = (await begun).id;
    writeFileSync(idFile, id);
    process.stdout.write(`begun ${id}\n`);
  }
  try {
    process.stdout.write(`result ${await runtime.agent("worker").get(id).result()}\n`);
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    process.stdout.write(`${error.code} ${error.message}\n`);
  }
  await runtime.close();
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [directory = "", cureFile = ""] = process.argv.slice(2);
  await main(directory, cureFile);
}
