// Thread death — updates and nodes that end their own thread. Whoever waits is told why, what was
// acknowledged stays, and either everything stops or the thread comes back. What goes wrong here
// would look like a caller that waits for ever, a count that went back, or a message that got lost.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type LaunchOptions, launch } from "../../dist/index.js";
import faults from "../../dist/tests/topologies/faults.js";
import stillborn from "../../dist/tests/topologies/stillborn.js";
import { refusal, untilServed } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

type OnThreadExit = NonNullable<LaunchOptions["onThreadExit"]>;

function launchFaults(directory: string, onThreadExit: OnThreadExit) {
  return launch(faults, { directory, tasks: 4, threads: 2, onThreadExit });
}

type Faults = Awaited<ReturnType<typeof launchFaults>>;

/** A key of each task thread, each of them also the key of a step of a chain (`hopAt`). */
async function keyOfEachThread(runtime: Faults): Promise<readonly [string, string]> {
  const keys = new Map<number, string>();
  for (let i = 0; keys.size < 2; i += 1) {
    const key = `key-${i} 1`;
    keys.set(await runtime.store("counters").update("where", key), key);
  }
  const [one = "", other = ""] = keys.values();
  return [one, other];
}

describe("thread death — everything stops", () => {
  it("rejects who waits and who comes later, and keeps what was acknowledged", async () => {
    const directory = tempDirectory();
    const first = await launchFaults(directory, "stop");
    const counters = first.store("counters");
    const [victim, other] = await keyOfEachThread(first);
    expect(await counters.update("add", victim, 5)).toBe(5);
    expect(await counters.update("add", other, 6)).toBe(6);
    const invocation = await first
      .agent("stubborn")
      .initiate({ startsFile: join(directory, "s"), abortedFile: directory });
    const killer = counters.update("exit", victim, 7);
    // Both stand behind the update that ends the thread, in the lane of the task that owns the key.
    const waiting = [counters.update("add", victim, 1), first.agent("chain").invoke(hopAt(victim))];
    const errors = await Promise.all(
      [killer, ...waiting].map((promise) => refusal(promise, "TASK_EXITED")),
    );

    for (const { details, message } of errors) {
      expect(details).toMatchObject({ reason: "it exited with status 7" });
      expect(message).toMatch(/thread \d with task\(s\) \d, \d has exited/);
    }
    for (const call of [
      async () => await counters.get(other),
      async () => await counters.update("add", other, 1),
      async () => await invocation.result(),
      async () => await first.compute("double", [1]),
      async () => await first.stats(),
    ]) {
      expect((await refusal(call(), "TASK_EXITED")).stack).toContain("thread-death.thread.test.ts");
    }
    await first.close();
    await using second = await launchFaults(directory, "stop");
    expect(await second.store("counters").getMany([victim, other])).toEqual([5, 6]);
  });

  it.each([
    ["an exception in a timer", "timer", "RangeError: thrown in a timer"],
    ["a rejection that nobody handles", "rejection", "TypeError: nobody awaits this"],
  ] as const)("says that it was %s, and runs the node again", async (_what, how, reason) => {
    const directory = tempDirectory();
    const doneFile = join(directory, "done.txt");
    const first = await launchFaults(directory, "stop");
    const { id } = await first.agent("saboteur").initiate({ key: "key", how, doneFile });
    // The result is waited for when the thread ends, or asked for afterwards: both say why.
    const error = await refusal(first.agent("saboteur").get(id).result(), "TASK_EXITED");
    await first.close();

    expect(error.details).toMatchObject({ reason });
    expect(String(error.cause)).toBe(reason);
    await using second = await launchFaults(directory, "stop");
    expect(await second.agent("saboteur").get(id).result()).toBe("ran again");
  });
});

describe("thread death — memory", () => {
  it("ends a thread whose heap outgrows its limit, and runs the node when it fits", async () => {
    const directory = tempDirectory();
    const options = { directory, tasks: 2, threads: 1 } as const;
    const first = await launch(faults, { ...options, threadHeapBytes: 128 * 2 ** 20 });
    const { id } = await first
      .agent("saboteur")
      .initiate({ key: "key", how: "hoard", doneFile: null });
    const error = await refusal(first.agent("saboteur").get(id).result(), "TASK_EXITED");
    await first.close();

    expect(String(error.cause)).toContain("memory limit");
    await using second = await launch(faults, options);
    expect(await second.agent("saboteur").get(id).result()).toBe("held 400 MiB");
  });
});

describe("thread death — before the launch is over", () => {
  it.each(["stop", "restart"] as const)("refuses the launch, asked to %s", async (onThreadExit) => {
    const directory = tempDirectory();
    const launching = () => launch(stillborn, { directory, tasks: 2, threads: 2, onThreadExit });
    const { details } = await refusal(launching(), "TASK_EXITED");
    // Everything was ended and freed: the next one finds the directory open.
    await refusal(launching(), "TASK_EXITED");

    expect(details).toMatchObject({ reason: "it exited with status 4" });
  });
});

describe("thread death — the thread is started again", () => {
  it("serves again, with everything acknowledged, while the other thread goes on", async () => {
    const directory = tempDirectory();
    const counts = new Map<string, { attempted: number; acknowledged: number }>();
    {
      await using runtime = await launchFaults(directory, "restart");
      const counters = runtime.store("counters");
      const clients = (await keyOfEachThread(runtime)).map(async (key) => {
        const count = { attempted: 0, acknowledged: 0 };
        counts.set(key, count);
        for (let newest = 0; count.acknowledged < 80; ) {
          count.attempted += 1;
          const next = await untilServed(() => counters.update("add", key, 1));
          expect(next).toBeGreaterThan(newest);
          newest = next;
          count.acknowledged += 1;
          if (count.acknowledged % 30 !== 0) continue;
          // What is under way when the thread ends may have been applied, or not.
          const unsure = [counters.update("exit", key, 3), counters.update("add", key, 1)];
          count.attempted += 1;
          for (const call of unsure) await refusal(call, "TASK_EXITED");
        }
      });
      await Promise.all(clients);
      for (const [key, count] of counts) {
        expectBetween(await untilServed(() => counters.get(key)), count);
      }
    }
    await using second = await launchFaults(directory, "restart");
    for (const [key, count] of counts) {
      expectBetween(await second.store("counters").get(key), count);
    }

    function expectBetween(
      found: number | undefined,
      { attempted, acknowledged }: { attempted: number; acknowledged: number },
    ): void {
      expect(found).toBeGreaterThanOrEqual(acknowledged);
      expect(found).toBeLessThanOrEqual(attempted);
    }
  });

  it("finishes every invocation that had begun: tasks send their messages again", async () => {
    await using runtime = await launchFaults(tempDirectory(), "restart");
    const counters = runtime.store("counters");
    const keys = await keyOfEachThread(runtime);
    const chain = runtime.agent("chain");
    const hops = 12;
    const begun = await Promise.all(
      Array.from({ length: 40 }, (_, i) => chain.initiate({ id: `chain-${i}`, hop: 1, hops })),
    );
    await refusal(counters.update("exit", keys[0], 3), "TASK_EXITED");
    await untilServed(() => counters.update("add", keys[0], 1));
    await refusal(counters.update("exit", keys[1], 3), "TASK_EXITED");
    const results = await Promise.all(
      begun.map(({ id }) => untilServed(() => chain.get(id).result())),
    );
    const visited: string[] = [];
    for await (const [visit] of runtime.store("visits").entries()) visited.push(visit);

    expect(results).toEqual(Array(40).fill(hops));
    expect(visited).toHaveLength(40 * hops);
    expect(await hopCounts(runtime, hops)).toEqual(Array(hops).fill(40));
  });

  it("sends again what a dead thread has not received, when nothing else is sent", async () => {
    await using runtime = await launchFaults(tempDirectory(), "restart");
    const counters = runtime.store("counters");
    const keys = await keyOfEachThread(runtime);
    const hops = 150;
    const { id } = await runtime.agent("chain").initiate({ id: "alone", hop: 1, hops });
    for (const key of [...keys, ...keys]) {
      await refusal(counters.update("exit", key, 3), "TASK_EXITED");
      await untilServed(() => counters.contains(key));
      await untilServed(() => counters.update("where", key));
    }
    // It has met all four deaths.
    expect(await runtime.store("visits").contains(`alone ${hops}`)).toBe(false);
    const result = await untilServed(() => runtime.agent("chain").get(id).result());

    expect(result).toBe(hops);
    // Operations that were lost with a thread, and those of nodes that were, took effect once.
    expect(await hopCounts(runtime, hops)).toEqual(Array(hops).fill(1));
  });

  it("comes back when both threads end at the same time", async () => {
    await using runtime = await launchFaults(tempDirectory(), "restart");
    const counters = runtime.store("counters");
    const keys = await keyOfEachThread(runtime);
    for (const key of keys) await counters.put(key, 100);
    const kills = keys.map((key) => counters.update("exit", key, 3));
    await Promise.all(kills.map((kill) => refusal(kill, "TASK_EXITED")));

    for (const key of keys) {
      expect(await untilServed(() => counters.update("add", key, 1))).toBe(101);
    }
    expect(await runtime.agent("chain").invoke({ id: "after", hop: 1, hops: 9 })).toBe(9);
  });

  it("drains and counts a thread that comes back, not what is there until then", async () => {
    await using runtime = await launchFaults(tempDirectory(), "restart");
    const counters = runtime.store("counters");
    for (const key of await keyOfEachThread(runtime)) {
      await counters.put(key, 1);
      await refusal(counters.update("exit", key, 3), "TASK_EXITED");
      const [{ tasks }] = await Promise.all([runtime.stats(), runtime.drain()]);

      expect(tasks.map(({ task }) => task)).toEqual([0, 1, 2, 3]);
      // It serves: nobody has to try again.
      expect(await counters.update("add", key, 1)).toBe(2);
    }
  });

  it("gives up when a thread ends more often than it may be started again", async () => {
    await using runtime = await launchFaults(tempDirectory(), "restart");
    const [key] = await keyOfEachThread(runtime);
    const reason = "it exited with status 9";
    // While a thread is started again its callers are refused, but compute functions need no
    // thread.
    for (let hasStopped = false; !hasStopped; ) {
      const { details } = await refusal(
        runtime.store("counters").update("exit", key, 9),
        "TASK_EXITED",
      );
      expect(details).toMatchObject({ reason });
      hasStopped = await runtime.compute("double", [1]).then(() => false, isTaskExited);
    }

    for (const call of [runtime.store("counters").get("a"), runtime.stats(), runtime.drain()]) {
      expect((await refusal(call, "TASK_EXITED")).details).toMatchObject({ reason });
    }
  });
});

/** How often each hop of all chains was counted. */
function hopCounts(runtime: Faults, hops: number): Promise<(number | undefined)[]> {
  const keys = Array.from({ length: hops }, (_, index) => `hop ${index + 1}`);
  return untilServed(() => runtime.store("counters").getMany(keys));
}

/** A chain of one step, which is keyed by `key`. */
function hopAt(key: string) {
  return { id: key.replace(/ 1$/, ""), hop: 1, hops: 1 };
}

function isTaskExited(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "TASK_EXITED";
}
