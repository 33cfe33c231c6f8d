// Sentences of agents.md, "Failures and retries", about stalls. An older copy of one task's files
// would not lose a node invocation: the launch refuses it, or it is sent again what is missing. So
// its row is taken from the data directory between two launches, by the code of the storage. A bug
// here would look like an invocation that nobody ends any more.

import { describe, expect, it } from "vitest";
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
import { tempDirectory } from "../temp-directory.js";
import { type Implementation, tracesOf, until } from "./stage.js";

type Travelling = Runtime<(typeof lost)["parts"]>;

/** It is looked at after ten seconds; the rest is for a machine that is busy. */
const timeoutMs = 60_000;

export function stallSentences(implementation: Implementation): void {
  describe("retries — stalls", () => {
    it(
      "a node invocation emitted and never started costs a retry, and is run in it",
      async () => {
        const [directory, notes] = [tempDirectory(), tempDirectory()];
        const launched = (): Promise<Travelling> => launchedIn(implementation, directory);
        const given = { metadata: { notes, cut: false } };
        const trip = { here: keyOf(0), there: keyOf(1) };
        const cutOff = await launched();
        const { id } = await cutOff.agent("travelling").initiate(trip, given);
        await until(() => readNotes(notes).includes("arrives in 0"));
        await cutOff.close();
        expect(await lose(directory, "arrives")).toBe(1);

        await using after = await launched();
        const invocation = after.agent("travelling").get(id);
        expect(await invocation.result()).toBe(1);
        expect(readNotes(notes)).toEqual(["begins in 0", "arrives in 0", "arrives in 1"]);
        const arrived = (await tracesOf(invocation)).find(({ node }) => node === "arrives");
        expect(arrived).toMatchObject({ attempt: 1, failures: [{ attempt: 0 }] });
        expect(arrived?.failures[0]?.message).toContain("was stalled");
      },
      timeoutMs,
    );
  });
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
