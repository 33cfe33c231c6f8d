// Mailbox — how far callers may run ahead of a task: they are refused, or they wait. What was
// accepted is done in either case.

import { describe, expect, it } from "vitest";
import { type LaunchOptions, launch } from "../../dist/index.js";
import load from "../../dist/tests/topologies/load.js";
import { tempDirectory } from "../support/temp-directory.js";

const messagesMax = 16;
const callCount = 3_000;

function launchBounded(directory: string, mailbox: NonNullable<LaunchOptions["mailbox"]>) {
  return launch(load, { directory, tasks: 1, threads: 1, mailbox });
}

type Bounded = Awaited<ReturnType<typeof launchBounded>>;

/** All at once; the replies of those that were accepted, and the codes of those that were not. */
async function overload(runtime: Bounded) {
  const counters = runtime.store("counters");
  const calls = Array.from({ length: callCount }, () => counters.update("add", "hot", 1));
  const settled = await Promise.allSettled(calls);
  return {
    counts: settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
    refusals: settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : [])),
  };
}

describe("mailbox — that refuses when it is full", () => {
  it("takes what there is room for, refuses the rest, and loses nothing that it took", async () => {
    const directory = tempDirectory();
    const first = await launchBounded(directory, { messagesMax, whenFull: "reject" });
    const { counts, refusals } = await overload(first);

    // Nothing comes back within one turn: the room is for exactly so many.
    expect(counts).toEqual(Array.from({ length: messagesMax }, (_, i) => i + 1));
    expect(refusals).toHaveLength(callCount - messagesMax);
    for (const refused of refusals) {
      expect(refused).toMatchObject({
        code: "MAILBOX_FULL",
        details: { taskId: 0, capacity: messagesMax },
      });
    }
    // There is room again.
    expect(await first.store("counters").update("add", "hot", 1)).toBe(messagesMax + 1);
    await first.close();
    await using second = await launchBounded(directory, {});
    expect(await second.store("counters").get("hot")).toBe(messagesMax + 1);
  });

  it("counts bytes too", async () => {
    const whenFull = "reject";
    await using runtime = await launchBounded(tempDirectory(), { bytesMax: 100_000, whenFull });
    const texts = runtime.store("texts");
    const puts = Array.from({ length: 20 }, (_, i) => texts.put(`key-${i}`, "x".repeat(30_000)));
    const settled = await Promise.allSettled(puts);
    const accepted = settled.filter(({ status }) => status === "fulfilled").length;
    let found = 0;
    for await (const _ of texts.entries()) found += 1;

    expect(accepted).toBeGreaterThanOrEqual(3);
    expect(accepted).toBeLessThanOrEqual(4);
    expect(found).toBe(accepted);
  });
});

describe("mailbox — that lets callers wait", () => {
  it("bounds what is under way and answers everybody, in order", async () => {
    await using runtime = await launchBounded(tempDirectory(), { messagesMax });
    const { counts, refusals } = await overload(runtime);
    const { tasks } = await runtime.stats();
    const batches = tasks.reduce((sum, task) => sum + task.batches.batches, 0);

    expect(refusals).toEqual([]);
    expect(counts).toEqual(Array.from({ length: callCount }, (_, i) => i + 1));
    // No batch can hold more than one client may have under way.
    expect(batches).toBeGreaterThanOrEqual(Math.floor(callCount / messagesMax));
  });

  it("keeps the order of one client's calls while some of them wait", async () => {
    await using runtime = await launchBounded(tempDirectory(), { messagesMax: 1 });
    const texts = runtime.store("texts");
    const seen: Promise<unknown>[] = [];
    const writes = Array.from({ length: 100 }, (_, i) => {
      const written = texts.put("key", `text ${i}`);
      seen.push(texts.get("key"));
      return written;
    });
    await Promise.all(writes);

    expect(await Promise.all(seen)).toEqual(writes.map((_, i) => `text ${i}`));
  });
});
