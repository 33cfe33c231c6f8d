// A bug here would look like this: an invocation that goes on with functions it does not fit, or is
// dropped though nothing has changed; what ran before an update and counts twice.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { UpdateMode } from "../../../agents/declare/shape.js";
import { node } from "../../../agents/declare/node.js";
import { graphTable } from "../../../agents/home/graph-versions.js";
import { fenceTable } from "../../../agents/node/fences.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { type } from "../../../store/schema.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";

interface Launch {
  /** Names of further nodes: other names make another graph. */
  readonly extra?: readonly string[];
  readonly version?: number;
  readonly updateMode?: UpdateMode;
  readonly maxRetries?: number;
  /** `hang`: what waits in "second" waits for ever; `polite`: until its signal aborts. */
  readonly second: "hang" | "polite" | "fail" | "answer";
}

const never = latch();

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", resolve));
}

/** One launch of an agent that goes from "first" to "second". */
function launched(launch: Launch, before?: ProgramHarness, seed = 1) {
  const { extra = [], second, ...options } = launch;
  const log: string[] = [];
  const plain = node({ input: type<string>() });
  const others = Object.fromEntries(extra.map((name) => [name, plain]));
  // cast: what the types cannot know, that all of them are declared.
  const targets = ["second", ...extra] as "second"[];
  const declared = agent({
    ...options,
    entry: "first",
    result: type<string>(),
    nodes: {
      ...others,
      first: node({ input: type<string>(), to: targets }),
      second: node({ input: type<string>(), key: (message) => message }),
    },
  }).implement({
    ...Object.fromEntries(extra.map((name) => [name, () => {}])),
    first(ctx, message) {
      log.push(`first ${message} ${ctx.nodeInvocationId}`);
      ctx.emit("second", `${message} of ${extra.length}`);
    },
    async second(ctx, message) {
      log.push(`second ${message} ${ctx.nodeInvocationId}`);
      if (second === "hang") await never.opened;
      if (second === "polite") await aborted(ctx.signal);
      if (second === "fail") throw new Error("no");
      ctx.result(message);
    },
  });
  const rows = before === undefined ? [] : [0, 1, 2].map((task) => before.rows(task));
  const harness = new ProgramHarness({ agents: { x: declared }, tasks: 3, rows, seed });
  const client = clientsOf(harness).agent(declared);
  const namesOf = () => log.map((entry) => entry.replace(/ [0-9a-f]{16}$/, ""));
  return { harness, client, log, namesOf };
}

/** An invocation that waits in "second", in a launch without further nodes. */
async function waiting(options: Partial<Launch> = {}, seed = 1) {
  const first = launched({ second: "hang", ...options }, undefined, seed);
  const { id } = await first.harness.until(first.client.initiate("m"));
  await first.harness.run();
  expect(first.namesOf()).toEqual(["first m", "second m of 0"]);
  return { id, before: first.harness, log: first.log };
}

function reasonOf(launch: ReturnType<typeof launched>, id: string): Promise<string> {
  return launch.harness.until(
    launch.client
      .get(id)
      .result()
      .then(
        () => "none",
        (error: unknown) => Reflect.get(Reflect.get(Object(error), "details"), "reason"),
      ),
  );
}

describe("update modes — the graph has changed by one version", () => {
  it("continue (default): the recorded tree goes on with the new functions", async () => {
    const { id, before } = await waiting();
    const next = launched({ extra: ["more"], second: "answer" }, before);
    expect(await next.harness.until(next.client.get(id).result())).toBe("m of 0");
    expect(next.namesOf()).toEqual(["second m of 0"]);
  });

  it("restart: from the root with the original input", async () => {
    let restarts = 0;
    for (let seed = 1; seed <= 20; seed += 1) {
      const { id, before, log } = await waiting({}, seed);
      const launch = { extra: ["more"], second: "answer", updateMode: "restart" } as const;
      const next = launched(launch, before, seed);
      const result = await next.harness.until(next.client.get(id).result());
      await next.harness.run();
      // Its node may have been quicker than the news that its invocation begins again.
      if (result === "m of 0") continue;
      restarts += 1;
      expect(result).toBe("m of 1");
      expect(next.namesOf().filter((name) => name === "first m").length).toBe(1);
      expect(next.namesOf().at(-1)).toBe("second m of 1");
      // Another node invocation: nothing of the one before is replayed.
      expect(next.log.some((entry) => entry === log[0])).toBe(false);
      expect(next.harness.rowCount(fenceTable)).toBe(0);
    }
    expect(restarts).toBeGreaterThan(5);
  });

  it("drop: fails with Retry dropped, and what waited is not run any more", async () => {
    const { id, before } = await waiting();
    const launch = { extra: ["more"], second: "hang", updateMode: "drop" } as const;
    const next = launched(launch, before);
    expect(await reasonOf(next, id)).toBe(
      'Retry dropped (the graph of agent "x" has changed once since the attempt began)',
    );
    await next.harness.run();
    expect(next.namesOf()).not.toContain("first m");
    expect(await lettersOf(next.harness)).toEqual([]);
  });

  it("a version that the declaration raises is a change like any other", async () => {
    const { id, before } = await waiting({ version: 3 });
    const next = launched({ version: 4, second: "hang", updateMode: "drop" }, before);
    expect(await reasonOf(next, id)).toContain("Retry dropped");
  });

  it("concerns what began before it alone", async () => {
    const { before } = await waiting();
    const launch = { extra: ["more"], second: "fail", updateMode: "drop" } as const;
    const next = launched(launch, before);
    await next.harness.run();
    const { id } = await next.harness.until(next.client.initiate("n"));
    expect(await reasonOf(next, id)).toBe('Node "second" failed (last failure: no)');
  });
});

describe("update modes — the same version, and two or more", () => {
  it.each(["drop", "restart"] as const)(
    "same version: always continue (%s)",
    async (updateMode) => {
      const { id, before } = await waiting({ updateMode });
      const next = launched({ second: "answer", updateMode }, before);
      expect(await next.harness.until(next.client.get(id).result())).toBe("m of 0");
      expect(next.namesOf()).toEqual(["second m of 0"]);
      // A retry of it, too.
      const again = launched({ second: "fail", updateMode, maxRetries: 1 });
      const call = again.harness.until(again.client.invoke("k"));
      await expect(call).rejects.toMatchObject({ details: { failures: [{}, {}] } });
      expect(again.namesOf()).toEqual(["first k", "second k of 0", "second k of 0"]);
    },
  );

  it.each(["continue", "restart"] as const)(
    "two versions or more: always drop (%s)",
    async (mode) => {
      const { id, before } = await waiting();
      const second = launched({ extra: ["one"], second: "hang" }, before);
      await second.harness.run();
      expect(second.namesOf()).toEqual(["second m of 0"]);
      const third = launched(
        { extra: ["one", "two"], second: "hang", updateMode: mode },
        second.harness,
      );
      expect(await reasonOf(third, id)).toContain(
        'Retry dropped (the graph of agent "x" has changed 2 times since the attempt began)',
      );
      await third.harness.run();
      expect(third.namesOf()).not.toContain("first m");
    },
  );

  it("a version comes back as a further one, and is stored with its history", async () => {
    const { id, before } = await waiting();
    const second = launched({ extra: ["one"], second: "hang" }, before);
    await second.harness.run();
    const third = launched({ second: "answer" }, second.harness);
    expect(await reasonOf(third, id)).toContain("has changed 2 times");
    // The first is recorded where there was an invocation; the later ones where there was a first.
    expect(third.harness.rowCount(graphTable)).toBe(3);
  });

  it("an attempt that began after an update belongs to it", async () => {
    const { id, before } = await waiting({ maxRetries: 5 });
    // It fails here and begins a new attempt, which is of this version.
    const options = { maxRetries: 5, retryBackoffMs: 1_000 };
    const second = launched({ ...options, extra: ["one"], second: "fail" }, before);
    await second.harness.runNow();
    const third = launched({ extra: ["one", "two"], second: "answer" }, second.harness);
    expect(await third.harness.until(third.client.get(id).result())).toBe("m of 0");
  });
});

describe("update modes — many invocations, and crashes at any point", () => {
  it("restarts each once, whatever crashes, and nothing is left of what was before", async () => {
    for (let seed = 1; seed <= 25; seed += 1) {
      const first = launched({ second: "hang" }, undefined, seed);
      const inputs = Array.from({ length: 40 }, (_, n) => `m${n}`);
      const begun = Promise.all(inputs.map((input) => first.client.initiate(input)));
      const ids = (await first.harness.until(begun)).map(({ id }) => id);
      await first.harness.run();
      const launch = { extra: ["one"], second: "hang", updateMode: "restart" } as const;
      const next = launched(launch, first.harness, seed);
      const random = seededRandom(seed);
      for (let crash = 0; crash < 2; crash += 1) {
        for (let steps = Math.floor(random() * 40); steps > 0; steps -= 1)
          await next.harness.step();
        next.harness.crash(Math.floor(random() * 3));
      }
      await next.harness.run();
      const last = launched({ extra: ["one"], second: "answer" }, next.harness, seed);
      for (const [n, id] of ids.entries()) {
        expect(await last.harness.until(last.client.get(id).result())).toBe(`m${n} of 1`);
      }
      await last.harness.run();
      expect(last.harness.rowCount(fenceTable)).toBe(0);
      const marks = [0, 1, 2].filter((task) => last.harness.rows(task).count(queueTable) > 0);
      expect(last.harness.rowCount(queueTable)).toBe(marks.length);
    }
  });

  it("cancels one that is about to begin again", async () => {
    const { id, before } = await waiting();
    const launch = { extra: ["more"], second: "polite", updateMode: "restart" } as const;
    const next = launched(launch, before);
    const invocation = next.client.get(id);
    await next.harness.until(invocation.cancel());
    await next.harness.run();
    await expect(next.harness.until(invocation.result())).rejects.toMatchObject({
      code: "INVOCATION_CANCELLED",
    });
    expect(next.namesOf().at(-1)).not.toBe("second m of 1");
  });
});
