// Histories — thousands of noted reads and writes by clients on three threads, checked key by key.
//
// What goes wrong here would look like a sentence that names the two calls which contradict each
// other. The checker has its own tests in tests/unit/testing.

import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import {
  type HistoryNote,
  type HistoryTask,
  performHistory,
} from "../../dist/tests/topologies/history-client.js";
import load from "../../dist/tests/topologies/load.js";
import { assertLinearizable } from "../../testing/index.js";
import { suiteSeed } from "../support/property.js";
import { tempDirectory } from "../support/temp-directory.js";

const hotKeys = ["hot-1", "hot-2", "hot-3"];
const manyKeys = Array.from({ length: 80 }, (_, i) => `key-${String(i).padStart(2, "0")}`);

interface Load {
  readonly keys: readonly string[];
  readonly calls: number;
  readonly paddingBytes: number;
  readonly arenaBytes: number;
}

/**
 * Four clients on the launching thread and eight in nodes, which do half as much each: a
 * result with all of their notes must fit a small arena. Returns notes and checkpoints.
 */
async function runHistory({ keys, calls, paddingBytes, arenaBytes }: Load) {
  const directory = tempDirectory();
  await using runtime = await launch(load, { directory, tasks: 4, threads: 2, arenaBytes });
  const registers = runtime.store("registers");
  const task = (client: string, number: number, share: number): HistoryTask => {
    const seed = suiteSeed() + number;
    return { client, seed, keys, calls: calls * share, window: 12, paddingBytes };
  };
  const nodes = Array.from("abcdefgh", (letter, i) => {
    return runtime.agent("historian").invoke(task(`node-${letter}`, i, 0.5));
  });
  const callers = ["main-a", "main-b", "main-c", "main-d"].map((client, i) => {
    return performHistory(registers, task(client, 100 + i, 1));
  });
  const [performed, called] = await Promise.all([Promise.all(nodes), Promise.all(callers)]);
  expect(new Set(performed.map(({ threadId }) => threadId)).size).toBe(2);
  const notes = [...performed.flatMap(({ notes }) => notes), ...called.flat()];
  const { tasks } = await runtime.stats();
  const checkpoints = tasks.reduce((sum, { storage }) => sum + storage.checkpoints, 0);
  return { notes, checkpoints };
}

describe("histories — clients on three threads", () => {
  it("is linearizable on hot keys", async () => {
    const load = { keys: hotKeys, calls: 450, paddingBytes: 0, arenaBytes: 67_108_864 };
    const { notes } = await runHistory(load);

    assertLinearizable(notes);
    expect(notes.length).toBeGreaterThan(4_000);
  });

  it("is linearizable on many keys while arenas are swapped and checkpointed", async () => {
    const load = { keys: manyKeys, calls: 700, paddingBytes: 6_000, arenaBytes: 1_048_576 };
    const { notes, checkpoints } = await runHistory(load);

    assertLinearizable(notes);
    expect(notes.length).toBeGreaterThan(4_400);
    // Reads came from both arenas and from the environment.
    expect(checkpoints).toBeGreaterThan(10);
  });
});

/** Names that the other thread than that of `name` owns: a node keyed by them would run there. */
async function elsewhere(runtime: Loaded, name: string, count: number): Promise<string[]> {
  const threadOf = (client: string) => {
    return runtime.agent("adder").invoke({ client, keys: [], times: 0, how: "update" });
  };
  const here = await threadOf(name);
  const found: string[] = [];
  for (let i = 0; found.length < count; i += 1) {
    if ((await threadOf(`key-${i}`)) !== here) found.push(`key-${i}`);
  }
  return found;
}

function launchSmall(directory: string) {
  return launch(load, { directory, tasks: 2, threads: 2, arenaBytes: 1_048_576 });
}

type Loaded = Awaited<ReturnType<typeof launchSmall>>;

describe("histories — a reader that keeps its thread to itself", () => {
  it("never sees less than was acknowledged, in arenas or environment, in one turn", async () => {
    await using runtime = await launchSmall(tempDirectory());
    const registers = runtime.store("registers");
    const keys = await elsewhere(runtime, "gazer", 12);
    let hasEnded = false;
    const task = { client: "gazer", keys, versionsSeen: 12 };
    const gazing = runtime
      .agent("gazer")
      .invoke(task)
      .finally(() => {
        hasEnded = true;
      });
    const notes: HistoryNote[] = [];
    for (let call = 1; !hasEnded; call += 1) {
      const key = keys[call % keys.length] ?? "";
      const invoked = Number(process.hrtime.bigint());
      const { version, by } = await registers.update("write", key, `main/${call}`, 60_000);
      const returned = Number(process.hrtime.bigint());
      const times = { invoked, returned };
      notes.push({ kind: "write", client: "main", call, key, version, value: by, ...times });
    }
    const seen = (await gazing).notes;

    assertLinearizable([...notes, ...seen]);
    // It has really looked on while the others were writing.
    expect(new Set(seen.map(({ version }) => version)).size).toBeGreaterThanOrEqual(12);
  });
});
