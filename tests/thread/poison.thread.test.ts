// Poison — nodes that throw, or end their thread or process, each time they run. What goes wrong
// here would look like a runtime that a single message takes down at every launch, or like other
// keys that wait for it.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type DeadLetter, type LaunchOptions, launch, PartitaError } from "../../dist/index.js";
import poison, { type Dose } from "../../dist/tests/topologies/poison.js";
import { refusal, untilServed } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

type OnThreadExit = NonNullable<LaunchOptions["onThreadExit"]>;

function launchPoison(directory: string, onThreadExit: OnThreadExit) {
  return launch(poison, { directory: join(directory, "data"), tasks: 4, threads: 2, onThreadExit });
}

type Poison = Awaited<ReturnType<typeof launchPoison>>;

function doses(directory: string) {
  const cureFile = join(directory, "cure.txt");
  const logFile = join(directory, "log.txt");
  return {
    cure: () => writeFileSync(cureFile, "cured"),
    log: () => readFileSync(logFile, "utf8").trimEnd().split("\n"),
    dose: (key: string, n: number, how: Dose["poison"] = "none"): Dose => {
      return { key, n, poison: how, cureFile, logFile };
    },
  };
}

async function lettersOf(runtime: Poison): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const letter of runtime.deadLetters.list()) letters.push(letter);
  return letters;
}

async function deadLetterCount(runtime: Poison): Promise<number> {
  const { tasks } = await runtime.stats();
  return tasks.reduce((sum, { deadLetters }) => sum + deadLetters, 0);
}

describe("poison — a node that throws", () => {
  it("is retried while other keys are served; later messages of its key wait", async () => {
    const directory = tempDirectory();
    const { dose, log } = doses(directory);
    await using runtime = await launchPoison(directory, "stop");
    const worker = runtime.agent("worker");
    // It may fail before the last of the others is answered.
    const refused = refusal(
      worker.invoke(dose("bad", 1, "throwBehindOthers")),
      "INVOCATION_FAILED",
    );
    const behind = worker.invoke(dose("bad", 2));
    // One after the other, on every task: each run of the poisoned one waits for more of them.
    for (let n = 1; n <= 6; n += 1) expect(await worker.invoke(dose(`good-${n}`, n))).toBe(n);
    const error = await refused;
    expect(await behind).toBe(2);

    expect(error.details).toMatchObject({
      failures: [0, 1, 2, 3, 4, 5].map((attempt) => ({
        node: "work",
        attempt,
        message: `poisoned bad 1, run ${attempt + 1}`,
      })),
    });
    const ofBad = log().filter((line) => line.startsWith("bad "));
    expect(ofBad.map((line) => line.split(" ")[1])).toEqual(["1", "1", "1", "1", "1", "1", "2"]);
    // Its store operation took effect once over six runs; that of the other makes two.
    expect(await runtime.store("counts").get("bad")).toBe(2);
  });

  it("leaves a dead letter, which a replay runs again over a restart", async () => {
    const directory = tempDirectory();
    const { dose, cure, log } = doses(directory);
    let id: string;
    {
      await using runtime = await launchPoison(directory, "stop");
      const worker = runtime.agent("worker");
      ({ id } = await worker.initiate(dose("bad", 1, "throw")));
      await refusal(worker.get(id).result(), "INVOCATION_FAILED");
    }
    await using runtime = await launchPoison(directory, "stop");
    const [letter, ...others] = await lettersOf(runtime);
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ key: "bad", attempts: 6, invocationId: id, message: { n: 1 } });
    expect(await deadLetterCount(runtime)).toBe(1);
    cure();
    await runtime.deadLetters.replay(letter?.id ?? "");
    expect(await runtime.agent("worker").get(id).result()).toBe(1);
    expect(await lettersOf(runtime)).toEqual([]);
    expect(await deadLetterCount(runtime)).toBe(0);
    // The same node invocation, and its store operation done once.
    expect(new Set(log().map((line) => line.split(" ")[2])).size).toBe(1);
    expect(await runtime.store("counts").get("bad")).toBe(1);
    await refusal(runtime.deadLetters.discard(letter?.id ?? ""), "DEAD_LETTER_UNKNOWN");
  });
});

describe("poison — a node that ends its thread each time it is run", () => {
  it("becomes a dead letter within the restarts there are; everything else goes on", async () => {
    const directory = tempDirectory();
    const { dose, cure, log } = doses(directory);
    await using runtime = await launchPoison(directory, "restart");
    const worker = runtime.agent("worker");
    const bad = await worker.initiate(dose("bad", 1, "exit"));
    const behind = await untilServed(() => worker.initiate(dose("bad", 2)));
    const others = await Promise.all(
      Array.from({ length: 12 }, (_, n) => untilServed(() => worker.initiate(dose(`k${n}`, n)))),
    );
    const error = await untilServed(() => worker.get(bad.id).result().catch(unlessExited));
    expect(error).toMatchObject({
      code: "INVOCATION_FAILED",
      details: { reason: expect.stringContaining("died 3 times while it ran") },
    });
    expect(await untilServed(() => worker.get(behind.id).result())).toBe(2);
    for (const [n, { id }] of others.entries()) {
      expect(await untilServed(() => worker.get(id).result())).toBe(n);
    }

    expect(log().filter((line) => line.startsWith("bad 1 ")).length).toBe(4);
    const [letter] = await lettersOf(runtime);
    expect(letter).toMatchObject({ key: "bad", attempts: 3, invocationId: bad.id });
    cure();
    await runtime.deadLetters.replay(letter?.id ?? "");
    expect(await worker.get(bad.id).result()).toBe(1);
    expect(await runtime.store("counts").get("bad")).toBe(2);
  });

  it("takes the runtime down three more times with `stop`, and no more", async () => {
    const directory = tempDirectory();
    const { dose, log } = doses(directory);
    let id: string | undefined;
    let deaths = 0;
    for (let hasEnded = false; !hasEnded; ) {
      const runtime = await launchPoison(directory, "stop").catch(unlessDead);
      if (runtime === undefined) {
        deaths += 1;
        continue;
      }
      const worker = runtime.agent("worker");
      id ??= (await worker.initiate(dose("bad", 1, "exit"))).id;
      const error: unknown = await worker
        .get(id)
        .result()
        .catch((thrown: unknown) => thrown);
      if (PartitaError.is(error, "INVOCATION_FAILED")) hasEnded = true;
      else {
        expect(error).toMatchObject({ code: "TASK_EXITED" });
        deaths += 1;
      }
      await runtime.close().catch(unlessDead);
    }
    expect(deaths).toBe(1 + 3);
    expect(log().length).toBe(4);
    await using runtime = await launchPoison(directory, "stop");
    expect(await lettersOf(runtime)).toMatchObject([{ key: "bad", attempts: 3 }]);
    expect(await runtime.agent("worker").invoke(dose("bad", 2))).toBe(2);
  });
});

describe("poison — a node that ends the process each time it is run", () => {
  it("is a dead letter after three further launches", () => {
    const directory = tempDirectory();
    const file = fileURLToPath(new URL("../../dist/tests/topologies/poison.js", import.meta.url));
    const args = [file, join(directory, "data"), join(directory, "cure.txt")];
    // Its id may not have been written when it dies: then there are more invocations than one.
    const launches = Array.from({ length: 7 }, () => {
      const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
      return { status, last: stdout.trimEnd().split("\n").at(-1) ?? "" };
    });
    const firstAlive = launches.findIndex(({ status }) => status === 0);
    expect(firstAlive).toBeGreaterThan(3);
    for (const { status } of launches.slice(0, firstAlive)) expect(status).toBe(9);
    for (const { status, last } of launches.slice(firstAlive)) {
      expect(status).toBe(0);
      expect(last).toMatch(/^INVOCATION_FAILED .* died 3 times while it ran/);
    }
  });
});

/** The outcome of an invocation, unless it was not to be learnt. */
function unlessExited(error: unknown): unknown {
  if (PartitaError.is(error, "TASK_EXITED")) throw error;
  return error;
}

function unlessDead(error: unknown): undefined {
  if (!PartitaError.is(error, "TASK_EXITED")) throw error;
}
