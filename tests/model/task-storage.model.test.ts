// Random sequences of commits, clears, checkpoints, reopenings and power cuts, on a storage and on
// plain
// maps alike; and three storages with a fault, each of which must be found out.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryStorage } from "../../store/memory-storage.js";
import type { StoredRow, TaskReader, TaskStorage } from "../../store/storage.js";
import { check, scaledRuns, suiteSeed } from "../support/property.js";
import { storageCommands } from "../support/storage-commands.js";
import { StorageModel, type StorageSubject } from "../support/storage-model.js";
import { diskSubject, memorySubject } from "../support/storage-subjects.js";
import { tempDirectory } from "../support/temp-directory.js";

function modelProperty(
  durable: boolean,
  create: () => Promise<StorageSubject> | StorageSubject,
): fc.IAsyncProperty<[Iterable<fc.AsyncCommand<StorageModel, StorageSubject>>]> {
  return fc.asyncProperty(storageCommands, async (commands) => {
    const real = await create();
    try {
      await fc.asyncModelRun(() => ({ model: new StorageModel(durable), real }), commands);
    } finally {
      await real.close();
    }
  });
}

describe("storage model — without a disk", () => {
  it("is what the maps are, when every frame is synced", async () => {
    await check(
      modelProperty(true, () => memorySubject("durable")),
      { runs: 200 },
    );
  });

  it("is what the maps are, when frames are synced now and then", async () => {
    await check(
      modelProperty(false, () => memorySubject("interval")),
      { runs: 200 },
    );
  });
});

describe("storage model — on a disk", () => {
  it("is what the maps are, when every frame is synced", async () => {
    let life = 0;
    const parent = tempDirectory();
    const create = (): Promise<StorageSubject> => {
      life += 1;
      return diskSubject(`${parent}/${life}`, "durable");
    };
    await check(modelProperty(true, create), { runs: 60 });
  }, 120_000);

  it("is what the maps are, when frames are synced now and then", async () => {
    let life = 0;
    const parent = tempDirectory();
    const create = (): Promise<StorageSubject> => {
      life += 1;
      return diskSubject(`${parent}/${life}`, "interval");
    };
    await check(modelProperty(false, create), { runs: 60 });
  }, 120_000);
});

/** A subject over memory whose storages and readers are wrapped, so that they go wrong. */
function twin(wrap: {
  readonly durability?: "durable" | "interval";
  readonly storage?: (storage: MemoryStorage) => TaskStorage;
  readonly reader?: (storage: MemoryStorage) => TaskReader;
}): StorageSubject {
  let memory = MemoryStorage.create({ durability: wrap.durability ?? "durable" });
  let storage: TaskStorage = wrap.storage?.(memory) ?? memory;
  let reader = wrap.reader?.(memory) ?? memory.reader();
  const begin = (next: MemoryStorage): void => {
    memory = next;
    storage = wrap.storage?.(memory) ?? memory;
    reader = wrap.reader?.(memory) ?? memory.reader();
  };
  return {
    get storage() {
      return storage;
    },
    get reader() {
      return reader;
    },
    reopen: async () => {
      await memory.close();
      begin(memory.reopen());
    },
    crash: async () => begin(memory.crash()),
    close: () => memory.close(),
  };
}

/** A storage that does as another but for `changes`. */
function changed(inner: MemoryStorage, changes: Partial<TaskStorage>): TaskStorage {
  return new Proxy<TaskStorage>(inner, {
    get: (target, name) => {
      const found: unknown = Reflect.get(name in changes ? changes : target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

async function expectCaught(create: () => StorageSubject): Promise<void> {
  const settings = { seed: suiteSeed(), numRuns: scaledRuns(300), endOnFailure: true };
  const details = await fc.check(modelProperty(true, create), settings);
  expect(details.failed).toBe(true);
  expect(String(details.errorInstance)).toContain("AssertionError");
}

describe("storage model — broken twins", () => {
  it("finds the one that forgets removals", async () => {
    const storage = (inner: MemoryStorage): TaskStorage =>
      changed(inner, {
        append: (writes) => inner.append(writes.filter((write) => write.value !== undefined)),
      });
    await expectCaught(() => twin({ storage }));
  });

  it("finds the one that loses the newest synced frame in a crash", async () => {
    const storage = (inner: MemoryStorage): TaskStorage =>
      changed(inner, {
        append: (writes) => {
          inner.flush();
          inner.append(writes);
        },
      });
    await expectCaught(() => twin({ storage, durability: "interval" }));
  });

  it("finds the one whose readers do not hear of clears", async () => {
    const kept = new Map<string, readonly StoredRow[]>();
    let rowsAreStale = false;
    const storage = (inner: MemoryStorage): TaskStorage => {
      kept.clear();
      return changed(inner, {
        clear: (table, version) => {
          rowsAreStale = true;
          inner.clear(table, version);
        },
        append: (writes) => {
          rowsAreStale &&= writes.length === 0;
          inner.append(writes);
        },
      });
    };
    const reader = (inner: MemoryStorage): TaskReader => {
      const plain = inner.reader();
      return {
        ...plain,
        page: (table, range, limit) => {
          const name = `${table} ${limit} ${JSON.stringify(range)}`;
          const stale = rowsAreStale ? kept.get(name) : undefined;
          const rows = stale ?? plain.page(table, range, limit);
          if (rows === "busy") return rows;
          kept.set(name, rows);
          return rows;
        },
      };
    };
    await expectCaught(() => twin({ storage, reader }));
  });

  it("finds the one that shows after a checkpoint what was there before it", async () => {
    const storage = (inner: MemoryStorage): TaskStorage => {
      let stale: ReturnType<TaskStorage["page"]> | undefined;
      return changed(inner, {
        checkpoint: async () => {
          await inner.checkpoint();
          stale = inner.page(16, {}, 1_000);
        },
        page: (table, range, limit) => {
          const rows = inner.page(table, range, limit);
          return table === 16 && stale !== undefined && range.from === undefined ? stale : rows;
        },
      });
    };
    await expectCaught(() => twin({ storage }));
  });

  it("finds nothing wrong with the same wrapping without a fault", async () => {
    const storage = (inner: MemoryStorage): TaskStorage => changed(inner, {});
    await check(
      modelProperty(true, () => twin({ storage })),
      { runs: 50 },
    );
  });
});
