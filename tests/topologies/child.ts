// Child — a program that owns a data directory in a process of its own, so that a test can kill it.
//
//   node child.js hold  <directory>               launches, says "ready", closes when its input
//   ends node child.js write <directory> <durability>  recovers, says what it has found, then
//   writes until killed
//
// It reports in lines on its output: `ready`, `found <key> <count> <gaps>`, `chains <n>`, `begin`,
// and then `ack <key> <count>` and `chain <id>` for whatever was acknowledged; `refused <code>
// <pid>` when it could not launch.

import { pathToFileURL } from "node:url";
import { type Durability, launch, PartitaError } from "../../index.js";
import survivors from "./survivors.js";

/** Appends that one writer has under way. */
export const windowCalls = 32;
export const writerCount = 8;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function hold(directory: string): Promise<void> {
  await using runtime = await launch(survivors, { directory, tasks: 2, threads: 1 });
  await runtime.store("logs").update("append", "held", 1);
  say("ready");
  for await (const _ of process.stdin);
}

async function write(directory: string, durability: Durability): Promise<void> {
  const runtime = await launch(survivors, {
    directory,
    tasks: 4,
    threads: 2,
    durability,
    arenaBytes: 1_048_576,
  });
  const logs = runtime.store("logs");
  const next = new Map<string, number>();
  for await (const [key, { count, gaps }] of logs.entries()) {
    say(`found ${key} ${count} ${gaps}`);
    next.set(key, count + 1);
  }
  say("begin");
  const append = async (key: string, count: number): Promise<void> => {
    await logs.update("append", key, count);
    say(`ack ${key} ${count}`);
  };
  const writer = async (key: string): Promise<void> => {
    const underWay: Promise<void>[] = [];
    for (let count = next.get(key) ?? 1; ; count += 1) {
      underWay.push(append(key, count));
      if (underWay.length >= windowCalls) await underWay.shift();
    }
  };
  const chains = async (): Promise<void> => {
    for (;;) {
      const { id } = await runtime.agent("chain").initiate({ hops: 6 });
      say(`chain ${id}`);
    }
  };
  const writers = Array.from({ length: writerCount }, (_, i) => writer(`log-${i}`));
  await Promise.all([chains(), ...writers]);
}

async function main(): Promise<void> {
  const [mode = "", directory = "", durability = "durable"] = process.argv.slice(2);
  try {
    if (mode === "hold") await hold(directory);
    // cast: the test passes one of the three.
    else await write(directory, durability as Durability);
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    say(`refused ${error.code} ${JSON.stringify(error.details)}`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main();
}
