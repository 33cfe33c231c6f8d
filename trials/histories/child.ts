// Child — the process that histories are made in: `node child.js`, orders on its input (one line of
// JSON each), lines of its clients (client.ts) and of its own on its output:
//
//   launched · performed-<phase> · struck · failed <text>

import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Durability, launch, PartitaError, type Runtime } from "../../index.js";
import { HistoryClient, type HistoryTask, say } from "./client.js";
import topology from "./topology.js";

export type Order =
  | {
      readonly order: "launch";
      readonly directory: string;
      readonly durability: Durability;
      readonly threads: number;
    }
  | {
      readonly order: "perform";
      /** Named in the line that says that it is over. */
      readonly phase: string;
      readonly callers: readonly HistoryTask[];
      readonly nodes: readonly HistoryTask[];
      /** Callers do nothing but look while nodes write, instead of making their calls. */
      readonly gazes: boolean;
    }
  /** Under load: everything is launched again when it has closed. */
  | { readonly order: "reopen"; readonly number: number }
  /** Ends the thread of a key. */
  | { readonly order: "strike"; readonly number: number; readonly key: string }
  /** Reads every key a last time. */
  | { readonly order: "look"; readonly phase: string; readonly task: HistoryTask };

type Launch = Extract<Order, { readonly order: "launch" }>;
type Perform = Extract<Order, { readonly order: "perform" }>;

let order: Launch | undefined;
let runtime: Runtime<(typeof topology)["parts"]> | undefined;

async function open(): Promise<void> {
  if (order === undefined) throw new RangeError("nothing was launched");
  const { directory, durability, threads } = order;
  runtime = await launch(topology, {
    directory: join(directory, "data"),
    tasks: 4,
    threads,
    durability,
    arenaBytes: 1_048_576,
    onThreadExit: "restart",
    closeTimeoutMs: 5_000,
  });
}

function opened(): Runtime<(typeof topology)["parts"]> {
  if (runtime === undefined) throw new RangeError("it is not open");
  return runtime;
}

async function perform({ phase, callers, nodes, gazes }: Perform): Promise<void> {
  const on = opened();
  const enough = new AbortController();
  const called = callers.map((task) => {
    const client = new HistoryClient(on.store("registers"), task);
    return gazes ? client.gaze(enough.signal) : client.run();
  });
  const performed = nodes.map(async (task) => {
    const mark = join(order?.directory ?? "", `mark-${task.client}-${task.callsBefore}`);
    await on
      .agent("historian")
      .invoke({ ...task, mark })
      .catch(unlessGone);
  });
  await Promise.all(performed);
  enough.abort();
  await Promise.all(called);
  say(`performed-${phase}`);
}

/** Nodes that a death had kept from starting have ended: their calls are of this history. */
async function drained(): Promise<void> {
  for (let isQuiet = false; !isQuiet; ) {
    await opened()
      .drain()
      .then(() => {
        isQuiet = true;
      }, unlessGone);
  }
}

function unlessGone(error: unknown): void {
  const isGone = PartitaError.is(error) && ["TASK_EXITED", "CLOSED"].includes(error.code);
  if (!isGone) throw error;
}

async function obey(given: Order): Promise<void> {
  if (given.order === "launch") {
    order = given;
    await open();
    say("launched");
  } else if (given.order === "perform") await perform(given);
  else if (given.order === "reopen") {
    await opened().close();
    await open();
    say(`reopened-${given.number}`);
  } else if (given.order === "strike") {
    await opened()
      .store("registers")
      .update("exit", given.key, 5)
      .then(() => {}, unlessGone);
    say(`struck-${given.number}`);
  } else {
    await drained();
    await new HistoryClient(opened().store("registers"), given.task).look();
    say(`performed-${given.phase}`);
  }
}

say("booted");
for await (const line of createInterface({ input: process.stdin })) {
  // cast: the parent writes orders, and nobody else has this pipe.
  obey(JSON.parse(line) as Order).catch((error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    say(`failed ${text.replaceAll("\n", " | ")}`);
    process.exit(1);
  });
}
// The parent is gone.
process.exit(0);
