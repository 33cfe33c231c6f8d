// Child — the process that is tortured: `node child.js`, orders on its input (orders.ts), lines on
// its output.
//
// Each life: launch, say what is there, and, when the parent has compared it, write until killed.
// It does not know when that will be.

import { createInterface } from "node:readline";
import { launch, PartitaError } from "../../index.js";
import { seededRandom } from "../../testing/index.js";
import { type Load, Report, type Tortured } from "./load/client.js";
import { findEffects, loadEffects, type Settled } from "./load/effects.js";
import { findInboxes, loadInboxes } from "./load/inboxes.js";
import { findRegisters, loadRegisters } from "./load/registers.js";
import { findScratch, loadScratch } from "./load/scratch.js";
import { answerAll, findAnswers, follow } from "./load/surveys.js";
import { findTickets, loadTickets } from "./load/tickets.js";
import { findTransfers, loadTransfers } from "./load/transfers.js";
import {
  type LaunchOrder,
  type LoadOrder,
  type Order,
  type StrikeOrder,
  taskCount,
} from "./orders.js";
import topology from "./topology.js";

const report = new Report();
let runtime: Tortured | undefined;
/** Rows of finished invocations, to be removed once the parent has compared them. */
let settled: Settled = { effects: [], answers: [] };

async function begin(order: LaunchOrder): Promise<void> {
  report.sayNow("launching");
  const { directory, threads, durability, arenaBytes, onThreadExit } = order;
  const launched = await launch(topology, {
    directory,
    tasks: taskCount,
    threads,
    durability,
    arenaBytes,
    onThreadExit,
    closeTimeoutMs: 2_000,
  });
  runtime = launched;
  report.sayNow("launched");
  // Before anything else is written: what readers see at once.
  await findRegisters(launched, report);
  await findScratch(launched, report);
  await findTickets(launched, report);
  // Everything that was accepted goes on to its end.
  await launched.drain();
  const surveys = await answerAll(launched, report);
  await launched.drain();
  await findInboxes(launched, report);
  await findTransfers(launched, report);
  settled = {
    effects: await findEffects(launched, report),
    answers: await findAnswers(launched, report),
  };
  for (const [kind, id, of] of order.results) {
    const result = await launched.agent(kind).get(id).result();
    if (result !== of) report.bad("lost", `${kind} ${id} resulted in ${result}, not in ${of}`);
    const call = surveys.get(id);
    // A survey without rows is lost, and found to be.
    if (kind === "survey" && call !== undefined) {
      await follow({ runtime: launched, report, id, of }, call);
    }
  }
  report.sayNow("recovered");
}

async function write(order: LoadOrder, on: Tortured): Promise<void> {
  report.sayNow("loading");
  // It ends with the runtime.
  count(on).catch(() => {});
  const load: Load = { runtime: on, report, random: seededRandom(order.seed) };
  await Promise.all([
    loadRegisters(load, order),
    loadTickets(load, order),
    loadScratch(load, order),
    loadInboxes(load, order),
    loadTransfers(load, order),
    loadEffects(load, order, settled),
  ]);
}

const countPauseMs = 150;

/** Says how many checkpoints there were: that the load is what it should be. */
async function count(on: Tortured): Promise<void> {
  for (;;) {
    const { tasks } = await on.stats();
    report.say(`checkpoints ${tasks.reduce((sum, { storage }) => sum + storage.checkpoints, 0)}`);
    await new Promise((resolve) => setTimeout(resolve, countPauseMs));
  }
}

async function close(on: Tortured): Promise<void> {
  await on.close();
  report.sayNow("closed");
  process.exit(0);
}

async function strike({ how, mark }: StrikeOrder, on: Tortured): Promise<void> {
  if (how === "process") process.exit(7);
  try {
    if (how === "update") await on.store("switches").update("exit", mark, 8);
    else await on.agent("striker").invoke({ how: how === "node" ? "exit" : "memory", mark });
  } catch (error) {
    if (!PartitaError.is(error) || error.code !== "TASK_EXITED") throw error;
    report.say("struck");
  }
}

async function obey(order: Order): Promise<void> {
  if (order.order === "launch") return await begin(order);
  if (runtime === undefined) throw new RangeError(`${order.order} before launch`);
  if (order.order === "load") await write(order, runtime);
  else if (order.order === "close") await close(runtime);
  else await strike(order, runtime);
}

report.sayNow("booted");
for await (const line of createInterface({ input: process.stdin })) {
  // cast: the parent writes orders, and nobody else has this pipe.
  obey(JSON.parse(line) as Order).catch((error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report.sayNow(`failed ${text.replaceAll("\n", " | ")}`);
    process.exit(1);
  });
}
// The parent is gone.
process.exit(0);
