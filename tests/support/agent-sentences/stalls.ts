// Sentences of agents.md, "Failures and retries", about stalls. An older copy of one task's files
// would not lose a node invocation: the launch refuses it, or it is sent again what is missing. So
// its row is taken from the data directory between two launches, by the code of the storage. A bug
// here would look like an invocation that nobody ends any more, or one that fails while it works.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../../agents/client/invocation.js";
import type { Metadata } from "../../../agents/declare/metadata.js";
import type { Runtime } from "../../../launch.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import { decodeRun } from "../../../agents/wire/message.js";
import { numberKey } from "../../../agents/wire/number-key.js";
import { limits } from "../../../base/limits.js";
import { taskDirectory } from "../../../runtime/directory.js";
import { runCheckpoint } from "../../../store/checkpoint.js";
import { hashKey } from "../../../store/key-hash.js";
import { createTaskMemory } from "../../../store/task-memory.js";
import { openTaskStorage } from "../../../store/task-storage.js";
import { encodeDynamicKey } from "../../../store/tuple-key.js";
import lost from "../../topologies/agents-lost.js";
import { readNotes } from "../../topologies/agents-notes.js";
import { commitNow } from "../storage-fixture.js";
import { codeOf } from "./codes.js";
import { type Implementation, tracesOf, until } from "./stage.js";

type Travelling = Runtime<(typeof lost)["parts"]>;

/** It is looked at after ten seconds; the rest is for a machine that is busy. */
const timeoutMs = 60_000;

export function stallSentences(implementation: Implementation): void {
  const bench = new StallBench(implementation);
  afterAll(async () => await bench.close());
  describe("retries — stalls", () => {
    it(
      "a node invocation emitted and never started costs a retry, and is run in it",
      async () => {
        const { notes, lost: invocation } = await bench.begun();
        expect(await invocation.result()).toBe(1);
        const lines = readNotes(notes).filter((line) => /^(begins|arrives) /.test(line));
        expect(lines).toEqual(["begins in 0", "arrives in 0", "arrives in 1"]);
        const arrived = (await tracesOf(invocation)).find(({ node }) => node === "arrives");
        expect(arrived).toMatchObject({ attempt: 1, failures: [{ attempt: 0 }] });
        expect(arrived?.failures[0]?.message).toContain("was stalled");
      },
      timeoutMs,
    );

    it(
      "a node that executes, however long, or waits for a human, is never stalled",
      async () => {
        const { lost: invocation, executing, asking } = await bench.begun();
        // That one was found in the look at all of them.
        await invocation.result();
        for (const one of [...executing, ...asking]) {
          const traces = await tracesOf(one);
          expect(traces.flatMap(({ failures }) => failures)).toEqual([]);
          expect(await one.isComplete()).toBe(false);
        }
        for (const one of asking) {
          const [question] = await one.humanInputs();
          await one.answer(question?.id ?? "", "yes");
          expect(await one.result()).toBe("yes in 0");
        }
        for (const one of executing) {
          await one.cancel();
          expect(await codeOf(one.result())).toBe("INVOCATION_CANCELLED");
        }
      },
      timeoutMs,
    );
  });
}

/** What is under way when the runtime looks. */
interface Begun {
  readonly notes: string;
  readonly lost: Invocation<number>;
  readonly executing: readonly Invocation<never>[];
  readonly asking: readonly Invocation<string>[];
}

/** So many of each, so that some have the home task of the one that is lost. */
const eachCount = 6;

/** Two launches: the second is for all sentences, and looks at what the first has left. */
class StallBench {
  readonly #implementation: Implementation;
  readonly #directories: string[] = [];
  #runtime: Travelling | undefined;
  #begun: Promise<Begun> | undefined;

  constructor(implementation: Implementation) {
    this.#implementation = implementation;
  }

  async begun(): Promise<Begun> {
    this.#begun ??= this.#begin();
    return await this.#begun;
  }

  async close(): Promise<void> {
    await this.#runtime?.close();
    for (const directory of this.#directories) {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  async #begin(): Promise<Begun> {
    const [directory, notes] = [this.#directory(), this.#directory()];
    const given = { metadata: { notes, cut: false } };
    const cutOff = await launchedIn(this.#implementation, directory);
    const trip = { here: keyOf(0), there: keyOf(1) };
    const { id } = await cutOff.agent("travelling").initiate(trip, given);
    // Half of the others come from the first launch.
    const early = await begin(cutOff, given, "early");
    const runs = early.names.map((name) => `${name} runs in 0`);
    for (const line of ["arrives in 0", ...runs]) {
      await until(() => readNotes(notes).includes(line));
    }
    await cutOff.close();
    expect(await lose(directory, "arrives")).toBe(1);

    const runtime = await launchedIn(this.#implementation, directory);
    this.#runtime = runtime;
    const late = await begin(runtime, given, "late");
    const executing = [...early.executing, ...late.executing];
    const asking = [...early.asking, ...late.asking];
    return {
      notes,
      lost: runtime.agent("travelling").get(id),
      executing: executing.map((one) => runtime.agent("executing").get(one)),
      asking: asking.map((one) => runtime.agent("asking").get(one)),
    };
  }

  #directory(): string {
    const directory = mkdtempSync(join(tmpdir(), "partita-test-"));
    this.#directories.push(directory);
    return directory;
  }
}

/** Begins some that execute, and some that ask and have asked; returns their ids. */
async function begin(
  runtime: Travelling,
  given: { readonly metadata: Metadata },
  prefix: string,
): Promise<Record<"names" | "executing" | "asking", readonly string[]>> {
  const names = Array.from({ length: eachCount }, (_, n) => `${prefix} ${n}`);
  const executing: string[] = [];
  const asking: string[] = [];
  for (const name of names) {
    executing.push((await runtime.agent("executing").initiate(name, given)).id);
    const invocation = await runtime.agent("asking").initiate(name, given);
    await until(async () => (await invocation.humanInputs()).length === 1);
    asking.push(invocation.id);
  }
  return { names, executing, asking };
}

/** Takes the rows of a node from task 1; returns how many there were. */
async function lose(directory: string, node: string): Promise<number> {
  const storage = await openTaskStorage({
    directory: taskDirectory(directory, 1),
    taskId: 1,
    memory: createTaskMemory({ arenaBytes: limits.arenaBytesMin }),
    durability: "durable",
    runCheckpoint,
  });
  const range = { from: numberKey(1) };
  const found = storage.page(queueTable, range, 100).filter(({ value }) => {
    return decodeRun(value).node === node;
  });
  const removals = found.map(({ key }, index) => {
    const version = storage.versionLast + 1 + index;
    return {
      table: queueTable,
      key,
      keyHash: hashKey(key),
      version,
      value: undefined,
      fresh: false,
    };
  });
  commitNow(storage, removals);
  await storage.close();
  return found.length;
}

/** A key of one of two tasks. */
function keyOf(task: number): string {
  for (let n = 0; ; n += 1) {
    const key = `key ${n}`;
    if (Math.floor(hashKey(encodeDynamicKey(key)) / 2 ** 31) === task) return key;
  }
}

function launchedIn({ launch, threads }: Implementation, directory: string): Promise<Travelling> {
  return launch(lost, {
    directory,
    tasks: 2,
    threads,
    // What stays is cut off.
    closeTimeoutMs: 1,
    // The watchdog's thread needs a compiled file.
    ...(threads === 0 ? { handlerTimeoutMs: 0 } : {}),
  });
}
