// Stuck — a topology whose handlers never return when they are asked to, and a program that owns a
// directory in a process of its own, for the watchdog to stop.
//
//   node stuck.js <directory> <threads> <what> <limit in ms>
//
// Says `last <kind> <diagnosis>` when the launch tells of an earlier stop, `found <count>`,
// `ack <count>` for every update that was acknowledged, `ready`, and then does what it is asked:
//   update      an update that never returns          node     a node that never returns
//   resumed     one that never returns after an await  updates  updates until its input ends
//   outside     (threads 0) keeps the launching thread for twice the limit, outside of any handler
//   letters     waits until there is a dead letter, and says `letter <agent> <node> <attempts>`
//   exit        (threads 1) an update that ends its thread; the process goes on for twice the limit
//   left        a node that waits for ever, and is left to the next launch by an orderly close
//   first       launches, and the node that was left never returns
//   inspected   (threads 1) an update that never returns, and an inspector, for twice the limit

import inspector from "node:inspector";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import {
  agent,
  keyValueStore,
  launch,
  node,
  type Runtime,
  string,
  topology,
  type,
} from "../../index.js";

/** Set where the node that was left is found. */
const nextTime = "PARTITA_TEST_NEXT_TIME";

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    add: (count = 0, by: number) => count + by,
    exit: (): number => process.exit(3),
    spin: (): number => {
      for (;;);
    },
  },
});

const looper = agent({
  stores: { counters },
  entry: "loop",
  result: type<number>(),
  nodes: { loop: node({ input: type<"at once" | "later" | "never" | "next time">() }) },
}).implement({
  async loop(ctx, when) {
    const isNextTime = when === "next time" && process.env[nextTime] !== undefined;
    if (when === "at once" || isNextTime) for (;;);
    if (when === "next time") await new Promise(() => {});
    const count = await ctx.stores.counters.update("add", "loops", 1);
    if (when === "later") for (;;);
    ctx.result(count);
  },
});

const stuck = topology("stuck", import.meta.url, { stores: { counters }, agents: { looper } });
export default stuck;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function untilLetter(runtime: Runtime<(typeof stuck)["parts"]>): Promise<void> {
  for (;;) {
    for await (const { agent: name, node: step, attempts } of runtime.deadLetters.list()) {
      say(`letter ${name} ${step} ${attempts}`);
      return;
    }
    await pause(10);
  }
}

async function main(): Promise<void> {
  const [directory = "", threads = "", what = "", limit = ""] = process.argv.slice(2);
  const handlerTimeoutMs = Number(limit);
  if (what === "first") process.env[nextTime] = "1";
  const runtime = await launch(stuck, {
    directory,
    tasks: 2,
    threads: Number(threads),
    handlerTimeoutMs,
    ...(what === "left" && { closeTimeoutMs: 100 }),
  });
  const { lastStop } = await runtime.stats();
  if (lastStop !== undefined) say(`last ${lastStop.kind} ${lastStop.diagnosis}`);
  const store = runtime.store("counters");
  say(`found ${await store.get("count", 0)}`);
  for (let round = 0; round < 20; round += 1) {
    say(`ack ${await store.update("add", "count", 1)}`);
  }
  say("ready");
  if (what === "update") await store.update("spin", "other");
  if (what === "node") await runtime.agent("looper").invoke("at once");
  if (what === "resumed") await runtime.agent("looper").invoke("later");
  if (what === "outside") {
    await runtime.agent("looper").invoke("never");
    for (const end = performance.now() + 2 * handlerTimeoutMs; performance.now() < end; );
  }
  if (what === "updates") {
    let open = true;
    process.stdin.once("end", () => {
      open = false;
    });
    process.stdin.resume();
    while (open) say(`ack ${await store.update("add", "count", 1)}`);
  }
  if (what === "left") {
    await runtime.agent("looper").initiate("next time");
    // It runs by then.
    await runtime.agent("looper").invoke("never");
  }
  if (what === "letters") await untilLetter(runtime);
  if (what === "exit") {
    await store.update("exit", "other").catch((error: Error) => say(error.message));
    await pause(2 * handlerTimeoutMs);
  }
  if (what === "inspected") {
    inspector.open(0);
    void store.update("spin", "other").catch(() => {});
    await pause(2 * handlerTimeoutMs);
    say("alive");
    // What is stuck would have to be waited for.
    process.exit(0);
  }
  await runtime.close().catch(() => {});
  say("closed");
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main();
}
