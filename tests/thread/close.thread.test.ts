// Close — what is under way is finished, what is finished stays, what comes later is refused.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import faults from "../../dist/tests/topologies/faults.js";
import { tempDirectory } from "../support/temp-directory.js";

function launchFaults(directory: string, closeTimeoutMs = 10_000) {
  return launch(faults, { directory, tasks: 4, threads: 2, closeTimeoutMs });
}

type Faults = Awaited<ReturnType<typeof launchFaults>>;

/** Every way into a runtime, with what its error's stack must name: this file. */
function everyCall(runtime: Faults, early: ReturnType<typeof clientsOf>) {
  return {
    get: async () => await early.counters.get("a"),
    contains: async () => await early.counters.contains("a"),
    getMany: async () => await early.counters.getMany(["a"]),
    put: async () => await early.counters.put("a", 1),
    putMany: async () => await early.counters.putMany([["a", 1]]),
    delete: async () => await early.counters.delete("a"),
    clear: async () => await early.counters.clear(),
    update: async () => await early.counters.update("add", "a", 1),
    modify: async () => await early.counters.modify("a", () => 1),
    entries: async () => {
      for await (const _ of early.counters.entries());
    },
    invoke: async () => await early.chain.invoke({ id: "a", hop: 1, hops: 1 }),
    initiate: async () => await early.chain.initiate({ id: "a", hop: 1, hops: 1 }),
    result: async () => await early.invocation.result(),
    compute: async () => await runtime.compute("double", [1]),
    stats: async () => await runtime.stats(),
    drain: async () => await runtime.drain(),
  };
}

function clientsOf(runtime: Faults) {
  const chain = runtime.agent("chain");
  const invocation = chain.get("00000000-000000000000-000000000000");
  return { counters: runtime.store("counters"), chain, invocation };
}

describe("close — with everything that was accepted", () => {
  it("finishes what nobody has awaited, and it is there at the next launch", async () => {
    const directory = tempDirectory();
    const first = await launchFaults(directory);
    const added = Array.from({ length: 2_000 }, (_, i) => {
      return first.store("counters").update("add", `key-${i % 50}`, 1);
    });
    const chained = Array.from({ length: 50 }, (_, i) => {
      return first.agent("chain").invoke({ id: `chain-${i}`, hop: 1, hops: 8 });
    });
    await first.close();

    // Settled already: close has waited for them.
    expect((await Promise.all(added)).filter((count) => count === 40)).toHaveLength(50);
    expect(await Promise.all(chained)).toEqual(Array(50).fill(8));
    await using second = await launchFaults(directory);
    const counts: number[] = [];
    // The chains count their hops there as well.
    for await (const [key, count] of second.store("counters").entries()) {
      if (key.startsWith("key-")) counts.push(count);
    }
    let visits = 0;
    for await (const _ of second.store("visits").entries()) visits += 1;
    expect(counts).toEqual(Array(50).fill(40));
    expect(visits).toBe(50 * 8);
  });

  it("loses nothing acknowledged when clients go on until they are refused", async () => {
    const directory = tempDirectory();
    const first = await launchFaults(directory);
    const counters = first.store("counters");
    const clients = ["a", "b", "c", "d", "e", "f"].map(async (key) => {
      for (let count = 1; ; count += 1) {
        try {
          await counters.update("add", key, 1);
        } catch (error) {
          return { key, acknowledged: count - 1, error };
        }
        // The last client to get here closes, in the middle of what the others do.
        if (key === "f" && count === 100) void first.close();
      }
    });
    const ended = await Promise.all(clients);
    await first.close();

    await using second = await launchFaults(directory);
    for (const { key, acknowledged, error } of ended) {
      expect(error).toMatchObject({ code: "CLOSED" });
      expect(acknowledged).toBeGreaterThan(0);
      expect(await second.store("counters").get(key)).toBe(acknowledged);
    }
  });
});

describe("close — calls before, during and after it", () => {
  it("is one promise, however often it is called", async () => {
    const runtime = await launchFaults(tempDirectory());
    const closing = runtime.close();

    expect(runtime.close()).toBe(closing);
    expect(runtime[Symbol.asyncDispose]()).toBe(closing);
    await closing;
    expect(runtime.close()).toBe(closing);
  });

  it("closes at the end of an `await using` block, and frees the directory", async () => {
    const directory = tempDirectory();
    let leaked: Faults;
    {
      await using runtime = await launchFaults(directory);
      await runtime.store("counters").put("a", 1);
      leaked = runtime;
    }
    await expect(leaked.store("counters").get("a")).rejects.toMatchObject({ code: "CLOSED" });
    await using runtime = await launchFaults(directory);

    expect(await runtime.store("counters").get("a")).toBe(1);
  });

  it("refuses every later call with CLOSED, and the stack names the caller's line", async () => {
    const runtime = await launchFaults(tempDirectory());
    const early = clientsOf(runtime);
    await early.counters.put("a", 1);
    await runtime.close();

    const outcomes: Record<string, unknown> = {};
    for (const [name, call] of Object.entries(everyCall(runtime, early))) {
      const error: unknown = await call().then(
        () => "resolved",
        (reason: unknown) => reason,
      );
      outcomes[name] = error instanceof Error && "code" in error ? error.code : error;
      if (error instanceof Error) expect(error.stack).toContain("close.thread.test.ts");
    }
    expect(outcomes).toEqual(
      Object.fromEntries(Object.keys(outcomes).map((name) => [name, "CLOSED"])),
    );
  });
});

describe("close — with a node that never returns", () => {
  it("aborts its signal when the time is over, and runs it again at the next launch", async () => {
    const directory = tempDirectory();
    const startsFile = join(directory, "starts.txt");
    const abortedFile = join(directory, "aborted.txt");
    const closeTimeoutMs = 200;
    const first = await launchFaults(directory, closeTimeoutMs);
    const { id } = await first.agent("stubborn").initiate({ startsFile, abortedFile });
    const waiting = first.agent("stubborn").get(id).result();
    const refused = expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
    await first.store("counters").put("a", 1);
    while (!existsSync(startsFile)) await setImmediate();
    const begun = performance.now();
    await first.close();
    const elapsedMs = performance.now() - begun;
    await refused;

    expect(elapsedMs).toBeGreaterThanOrEqual(closeTimeoutMs - 5);
    // Far more than it needs, and far less than for ever.
    expect(elapsedMs).toBeLessThan(closeTimeoutMs + 5_000);
    expect(existsSync(abortedFile)).toBe(true);
    expect(readFileSync(abortedFile, "utf8")).toContain("closed");
    expect(readFileSync(startsFile, "utf8")).toBe("started\n");

    await using second = await launchFaults(directory);
    expect(await second.agent("stubborn").get(id).result()).toBe("ran again");
    expect(readFileSync(startsFile, "utf8")).toBe("started\nstarted\n");
    expect(await second.store("counters").get("a")).toBe(1);
  });

  it("ends a thread that is busy for ever, and loses nothing acknowledged", async () => {
    const directory = tempDirectory();
    const doneFile = join(directory, "done.txt");
    const first = await launchFaults(directory, 0);
    await first.store("counters").put("a", 1);
    const { id } = await first.agent("saboteur").initiate({ key: "key", how: "loop", doneFile });
    const waiting = first.agent("saboteur").get(id).result();
    const refused = expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
    await first.close();
    await refused;

    await using second = await launchFaults(directory);
    expect(await second.agent("saboteur").get(id).result()).toBe("ran again");
    expect(await second.store("counters").get("a")).toBe(1);
  });

  it("takes no harm from replies that come when their callers have been refused", async () => {
    const thrown: unknown[] = [];
    const note = (error: unknown): void => void thrown.push(error);
    process.on("uncaughtException", note);
    const settings = { directory: tempDirectory(), tasks: 1, threads: 1, closeTimeoutMs: 0 };
    const runtime = await launch(faults, settings);
    // Batches that take far longer than a control call: there is always one in the thread's hands.
    const calls = Array.from({ length: 1_000 }, (_, i) => {
      return runtime.store("counters").update("busy", "a", i % 64 === 0 ? 40 : 0);
    });
    const outcomes = Promise.allSettled(calls);
    await setImmediate();
    await runtime.close();
    const last = (await outcomes).at(-1);
    process.off("uncaughtException", note);

    expect(thrown).toEqual([]);
    expect(last).toMatchObject({ reason: { code: "CLOSED" } });
  });

  it("gives up a restart that waits for a thread which is busy for ever", async () => {
    const directory = tempDirectory();
    const settings = { directory, tasks: 4, threads: 2, closeTimeoutMs: 200 };
    const first = await launch(faults, { ...settings, onThreadExit: "restart" });
    const counters = first.store("counters");
    const keys = new Map<number, string>();
    for (let i = 0; keys.size < 2; i += 1) {
      keys.set(await counters.update("where", `key-${i}`), `key-${i}`);
    }
    const [busy = "", victim = ""] = keys.values();
    await counters.put(victim, 1);
    const forever = counters.update("busy", busy, Number.POSITIVE_INFINITY);
    const refusals = [
      expect(forever).rejects.toMatchObject({ code: "CLOSED" }),
      expect(counters.update("exit", victim, 3)).rejects.toMatchObject({ code: "TASK_EXITED" }),
    ];
    await refusals[1];
    await first.close();
    await refusals[0];

    await using second = await launchFaults(directory);
    expect(await second.store("counters").get(victim)).toBe(1);
  });

  it("frees everything when a thread ends while it closes", async () => {
    const directory = tempDirectory();
    const first = await launchFaults(directory);
    await first.store("counters").put("a", 1);
    const killed = first.store("counters").update("exit", "a", 3);
    const refused = expect(killed).rejects.toMatchObject({ code: "TASK_EXITED" });
    await expect(first.close()).rejects.toMatchObject({ code: "TASK_EXITED" });
    await refused;

    await using second = await launchFaults(directory);
    expect(await second.store("counters").get("a")).toBe(1);
  });
});
