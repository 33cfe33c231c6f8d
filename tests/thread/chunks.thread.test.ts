// Chunks on real threads. A bug here would look like a chunk of a finished node that is not there
// after a kill, a follower that stands still when a thread dies, a list that no run has streamed.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launch, type StreamEvent } from "../../dist/index.js";
import writers from "../../dist/tests/topologies/writers.js";
import { compiled, killedProgram } from "../support/killed-program.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 2 } as const;

/** By node invocation: the chunks that stand, behind the last reset. */
function listsOf(events: readonly StreamEvent[]): readonly (readonly unknown[])[] {
  const lists = new Map<string, unknown[]>();
  for (const event of events) {
    const list = lists.get(event.nodeInvocationId) ?? [];
    lists.set(event.nodeInvocationId, list);
    if (event.kind === "reset") list.length = 0;
    if (event.kind !== "chunk") continue;
    expect(event.index).toBe(list.length);
    list.push(event.value);
  }
  return [...lists.values()].sort((a, b) => a.length - b.length);
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, no) => no);
}

describe("chunks — real threads", () => {
  it("come as they are, to early and late followers, and are traced and forked", async () => {
    await using runtime = await launch(writers, { directory: tempDirectory(), ...options });
    const agent = runtime.agent("writers");
    const counts = [3, 40, 2_500];
    const invocation = await agent.initiate({ id: "a", counts });
    const early: StreamEvent[] = [];
    const late: StreamEvent[] = [];
    await invocation.streamAll("write").forEach((event) => void early.push(event));
    await invocation.streamAll("write").forEach((event) => void late.push(event));
    expect(listsOf(early)).toEqual(counts.map(numbers));
    expect(listsOf(late)).toEqual(counts.map(numbers));
    const nodes = new Map<string, string>();
    for await (const { node, nodeInvocationId } of invocation.trace()) {
      nodes.set(nodeInvocationId, node);
    }
    expect([...nodes.values()].filter((name) => name === "write").length).toBe(3);
    const [one = ""] = [...nodes].find(([, name]) => name === "end") ?? [];
    const fork = await invocation.initiateFork({ [one]: { id: "f", counts, no: 9 } });
    expect(await fork.result()).toMatch(/^[af]$/);
    await runtime.drain();
    expect(await runtime.store("ends").get("f 9")).toBe(9);
  });

  it("a thread that dies takes none: followers go on, and are told of the reset", async () => {
    const directory = tempDirectory();
    const settings = { directory, ...options, onThreadExit: "restart" } as const;
    await using runtime = await launch(writers, settings);
    for (let round = 0; round < 3; round += 1) {
      const diedFile = join(directory, `died-${round}`);
      const work = { id: `r${round}`, counts: [200, 20], diedFile };
      const invocation = await runtime.agent("writers").initiate(work);
      const events: StreamEvent[] = [];
      await invocation.streamAll("write").forEach((event) => void events.push(event));
      expect(listsOf(events)).toEqual([numbers(20), numbers(200)]);
    }
  });
});

/** Begins writers without end, follows them, and says what it has begun. */
const program = `
  import { launch } from ${JSON.stringify(compiled("index.js"))};
  import writers from ${JSON.stringify(compiled("tests/topologies/writers.js"))};
  const [directory, round] = process.argv.slice(2);
  const runtime = await launch(writers, { directory, tasks: 4, threads: 2 });
  const client = async (_, number) => {
    for (let i = 0; ; i++) {
      const counts = [10 + i, 100 + i];
      const id = [round, number, i].join("-");
      const invocation = await runtime.agent("writers").initiate({ id, counts });
      process.stdout.write("began " + invocation.id + " " + counts.join(" ") + "\\n");
      await invocation.streamAll("write").forEach(() => {});
      process.stdout.write("ended " + id + "\\n");
    }
  };
  await Promise.all(Array.from({ length: 6 }, client));
`;

describe("chunks — a process that is killed", () => {
  it("every list is whole in the end, for followers after the restart", {
    timeout: 60_000,
  }, async () => {
    const directory = tempDirectory();
    const run = killedProgram(program, { word: "ended", times: 20 });
    for (let round = 1; round <= 2; round += 1) {
      const lines = await run(directory, round);
      const begun = lines.map((line) => line.split(" ")).filter(([what]) => what === "began");
      expect(begun.length).toBeGreaterThan(6);
      await using runtime = await launch(writers, { directory, ...options });
      for (const [, id = "", ...counts] of begun) {
        const events: StreamEvent[] = [];
        const invocation = runtime.agent("writers").get(id);
        await invocation.streamAll("write").forEach((event) => void events.push(event));
        expect(listsOf(events)).toEqual(counts.map((count) => numbers(Number(count))));
      }
    }
  });
});
