import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import topology from "./topology.js";

async function main(directory: string): Promise<void> {
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });
  const runs = runtime.store("runs");

  const started = performance.now();
  const fib = await runtime.agent("fib").invoke(14);
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`fib(14) = ${fib}: ${await runs.get("fib")} invocations in ${seconds} s`);

  const memo = await runtime.agent("memo").invoke(100);
  console.log(`fib(100) = ${memo}: ${await runs.get("memo")} numbers computed`);
}

const directory = await mkdtemp(join(tmpdir(), "partita-fibonacci-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
