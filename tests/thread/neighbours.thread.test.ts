// Neighbours on real threads — two topologies of one process, each with threads of its own, and the
// objects that live on them. What goes wrong here would look like a deposit that is made twice, a
// node that waits for ever, an object that two nodes use at a time.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import { accounts, savings } from "../../dist/tests/topologies/neighbours.js";
import { untilServed } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

function launchSavings(directory = tempDirectory()) {
  const options = { tasks: 4, threads: 2, onThreadExit: "restart", closeTimeoutMs: 500 } as const;
  return launch(savings, { directory, ...options });
}

describe("neighbours — on threads", () => {
  it("a node calls agents of another launched topology and reads its stores", async () => {
    await using bank = await launch(accounts, { directory: tempDirectory(), tasks: 4, threads: 2 });
    await using runtime = await launchSavings();
    const owners = Array.from({ length: 40 }, (_, n) => `owner-${n}`);
    const saver = runtime.agent("saver");
    const results = await Promise.all(owners.map((owner) => saver.invoke({ owner })));
    expect(results).toEqual(owners.map((owner) => ({ owner, after: 5, read: 5 })));
    expect(await bank.store("balances").getMany(owners)).toEqual(owners.map(() => 5));
  });

  it("an invocation there begins once, though the thread dies that began it", async () => {
    await using bank = await launch(accounts, { directory: tempDirectory(), tasks: 2, threads: 1 });
    await using runtime = await launchSavings();
    const diedFile = join(tempDirectory(), "died");
    const { id } = await runtime.agent("saver").initiate({ owner: "ann", diedFile });
    const invocation = runtime.agent("saver").get(id);
    // The thread that answers may be the one that dies: asking again is safe.
    const result = await untilServed(() => invocation.result());
    expect(result).toEqual({ owner: "ann", after: 5, read: 5 });
    expect(existsSync(diedFile)).toBe(true);
    expect(await bank.store("balances").get("ann")).toBe(5);
  });

  it("nodes go on after a restart, whichever topology is launched first", async () => {
    const directory = tempDirectory();
    const first = await launchSavings(directory);
    const { id } = await first.agent("saver").initiate({ owner: "bob" });
    await first.close();
    await using second = await launchSavings(directory);
    await using bank = await launch(accounts, { directory: tempDirectory(), tasks: 2, threads: 0 });
    expect(await second.agent("saver").get(id).result()).toMatchObject({ after: 5 });
    expect(await bank.store("balances").get("bob")).toBe(5);
  });
});

describe("questions of another topology — on threads", () => {
  it("surface here, are answered here, and survive deaths of threads of either", async () => {
    const options = { directory: tempDirectory(), tasks: 2, threads: 1 } as const;
    await using bank = await launch(accounts, {
      ...options,
      onThreadExit: "restart",
      closeTimeoutMs: 500,
    });
    await using runtime = await launchSavings();
    const top = await runtime.agent("teller").initiate("ann");
    const first = await untilServed(() => top.nextStep());
    if (first.kind !== "question") throw new Error("it asked nothing");
    expect(first.question).toMatchObject({ invocationId: top.id, prompt: "is it ann?" });
    for (const killed of [bank, runtime]) {
      const { id } = await killed.agent("killer").initiate(join(tempDirectory(), "died"));
      const dead = killed.agent("killer").get(id);
      expect(await untilServed(() => dead.result())).toBe("died");
    }
    const same = await untilServed(() => top.humanInputs());
    expect(same).toEqual([first.question]);
    await untilServed(() => top.answer(first.question, "yes"));
    expect(await untilServed(() => top.result())).toBe("ann: yes");
    expect(await untilServed(() => top.humanInputs())).toEqual([]);
  });
});

describe("objects — on threads", () => {
  it("are closed on shutdown, on the thread that has built them", async () => {
    const runtime = await launchSavings();
    const file = join(tempDirectory(), "closed");
    const calls = Array.from({ length: 20 }, () => runtime.agent("writer").invoke(file));
    const threads = new Set(await Promise.all(calls));
    expect(existsSync(file)).toBe(false);
    await runtime.close();
    const closed = readFileSync(file, "utf8").trim().split("\n").map(Number);
    expect(closed.sort()).toEqual([...threads].sort());
  });

  it("a shared object is built once per thread, a pool lends up to its limit", async () => {
    await using runtime = await launchSavings();
    const file = join(tempDirectory(), "lent");
    const calls = Array.from({ length: 60 }, () => runtime.agent("lender").invoke(file));
    const results = await Promise.all(calls);
    expect(new Set(results.map(({ threadId }) => threadId)).size).toBe(2);
    expect(new Set(results.map(({ id }) => id)).size).toBe(2);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    const most = new Map<string, number>();
    const lent = new Map<string, Set<string>>();
    for (const [what, thread = "", id = ""] of lines.map((line) => line.split(" "))) {
      const ids = lent.get(thread) ?? new Set();
      lent.set(thread, ids);
      // Nobody is lent what another one has.
      expect(ids.has(id)).toBe(what === "ends");
      if (what === "has") ids.add(id);
      else ids.delete(id);
      most.set(thread, Math.max(most.get(thread) ?? 0, ids.size));
    }
    expect([...most.values()]).toEqual([2, 2]);
  });
});
