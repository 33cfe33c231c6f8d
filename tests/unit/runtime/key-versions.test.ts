// S3: the versions of a key strictly rise and are never used again, whatever is refused, taken
// back, deleted, cleared, or lost in a crash. Bugs here would look like a stale write that wins.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { operation } from "../../../runtime/lane-encoding.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import type { RecordWrite } from "../../../store/storage.js";
import { hookedStorage } from "../../support/hooked-storage.js";
import { check } from "../../support/property.js";
import { put, request, TaskBench } from "../../support/task-bench.js";

const updates = {
  add: (count: unknown, by: number) => (typeof count === "number" ? count : 0) + by,
  refuse: () => {
    throw new Error("no");
  },
};

const keys = ["a", "b", "c"];
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constantFrom("put", "update", "delete", "refuse"),
      fc.constantFrom(...keys),
    ),
  },
  { weight: 1, arbitrary: fc.constant(["clear", ""] as const) },
  { weight: 2, arbitrary: fc.constant(["commit", ""] as const) },
  { weight: 1, arbitrary: fc.constant(["crash", ""] as const) },
  { weight: 1, arbitrary: fc.constant(["checkpoint", ""] as const) },
);

/** Runs commands and returns, by key, the versions that became durable, in order. */
async function versionsOf(
  commands: readonly (readonly [string, string])[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  let storage = MemoryStorage.create();
  const versions = new Map<string, number[]>();
  const open = (): TaskBench => {
    const watched = hookedStorage(storage, (method, [writes]) => {
      if (method !== "append") return;
      // cast: the one argument of `append`
      for (const { table, key, version } of writes as readonly RecordWrite[]) {
        const name = `${table}:${Buffer.from(key).toString("hex")}`;
        versions.set(name, [...(versions.get(name) ?? []), version]);
      }
    });
    return new TaskBench({ updates, storage: watched });
  };
  let bench = open();
  for (const [kind, key] of commands) {
    if (kind === "put") bench.ask(put(key, 1));
    else if (kind === "update") bench.ask(bench.update("add", key, 1));
    else if (kind === "delete") bench.ask(request(operation.delete, key));
    else if (kind === "refuse") bench.ask(bench.update("refuse", key));
    else if (kind === "clear") bench.ask(request(operation.clear, ""));
    else if (kind === "commit") bench.run();
    else if (kind === "checkpoint") await storage.checkpoint();
    else {
      storage = storage.crash();
      bench = open();
    }
  }
  bench.run();
  return versions;
}

function strictlyRises(versions: readonly number[]): boolean {
  return versions.every((version, index) => index === 0 || version > (versions[index - 1] ?? 0));
}

describe("key versions (S3)", () => {
  it("strictly rise for every key, over deletes, clears, crashes and checkpoints", async () => {
    const property = fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
      const versions = await versionsOf(commands);
      for (const each of versions.values()) expect(each).toSatisfy(strictlyRises);
      const all = [...versions.values()].flat();
      expect(new Set(all).size).toBe(all.length);
    });
    await check(property, { runs: 200 });
  });

  it("go on above all that a deleted key had, even when the storage forgot it", async () => {
    const versions = await versionsOf([
      ["put", "a"],
      ["commit", ""],
      ["delete", "a"],
      ["commit", ""],
      ["checkpoint", ""],
      ["crash", ""],
      ["put", "a"],
      ["commit", ""],
    ]);
    const [ofKey = []] = versions.values();
    expect(ofKey).toHaveLength(3);
    expect(ofKey).toSatisfy(strictlyRises);
  });
});
