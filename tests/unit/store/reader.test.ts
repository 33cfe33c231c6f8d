// Reader — the seqlock on one thread: when it is busy, and when it looks at the environment anew.

import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Environment } from "../../../store/environment.js";
import { hashKey } from "../../../store/key-hash.js";
import { openTaskReader } from "../../../store/reader.js";
import type { TaskReader, TaskStorage } from "../../../store/storage.js";
import { environmentFolder } from "../../../store/task-files.js";
import { ControlWords, type TaskMemory } from "../../../store/task-memory.js";
import { bytes, record, text } from "../../support/storage-bytes.js";
import { commit, openOnDisk, smallMemory, taskId } from "../../support/storage-fixture.js";
import { tempDirectory } from "../../support/temp-directory.js";

interface Parts {
  readonly directory: string;
  readonly memory: TaskMemory;
  readonly storage: TaskStorage;
  readonly reader: TaskReader;
}

async function start(): Promise<Parts> {
  const directory = tempDirectory();
  const memory = smallMemory();
  const storage = await openOnDisk(directory, memory);
  const reader = openTaskReader({ directory, taskId, memory });
  onTestFinished(async () => {
    await reader.close();
    await storage.close();
  });
  return { directory, memory, storage, reader };
}

function seen(reader: TaskReader, key: string): string | undefined {
  const found = reader.get(16, bytes(key), hashKey(bytes(key)));
  return found === undefined || found === "busy" ? found : `${found.version}:${text(found.value)}`;
}

describe("reader — beside its owner", () => {
  it("sees each commit at once, in whatever layer it lies", async () => {
    const { storage, reader } = await start();
    for (let version = 1; version <= 30; version += 1) {
      await commit(storage, [record(16, `k${version % 3}`, version, `v${version}`)]);
      expect(seen(reader, `k${version % 3}`)).toBe(`${version}:v${version}`);
      if (version % 4 === 0) {
        await storage.checkpoint();
        expect(seen(reader, `k${version % 3}`)).toBe(`${version}:v${version}`);
        expect(seen(reader, "absent")).toBeUndefined();
      }
    }
  });

  it("is busy while its owner changes the arenas, and not afterwards", async () => {
    const { memory, storage, reader } = await start();
    await commit(storage, [record(16, "a", 1, "x")]);
    const control = new ControlWords(memory);
    control.begin();
    expect(seen(reader, "a")).toBe("busy");
    expect(reader.page(16, {}, 1)).toBe("busy");
    control.end();
    expect(seen(reader, "a")).toBe("1:x");
    expect(reader.page(16, {}, 1)).toHaveLength(1);
  });

  it("looks at the environment anew when the generation has changed, within one turn", async () => {
    const { directory, memory, reader, storage } = await start();
    await commit(storage, [record(16, "other", 1, "one")]);
    await storage.checkpoint();
    expect(seen(reader, "a")).toBeUndefined();
    const environment = Environment.open(join(directory, environmentFolder), {
      taskId,
      readOnly: false,
    });
    onTestFinished(() => environment.close());
    for (let version = 2; version <= 5; version += 1) {
      const row = { table: 16, key: bytes("a"), version, value: bytes(`v${version}`) };
      environment.applyStep([row]);
      new ControlWords(memory).exclusively(() => {});
      expect(seen(reader, "a")).toBe(`${version}:v${version}`);
    }
  });

  it("finds what was checkpointed in its arena until the next swap", async () => {
    const { directory, reader, storage } = await start();
    const looks = (key: string) => {
      const found = storage.get(16, bytes(key), hashKey(bytes(key)));
      return [seen(reader, key), found && `${found.version}:${text(found.value)}`];
    };
    await commit(storage, [
      record(16, "kept", 1, "old"),
      record(16, "gone", 2, undefined),
      record(17, "cleared", 3, "x"),
    ]);
    await storage.checkpoint();
    const environment = Environment.open(join(directory, environmentFolder), {
      taskId,
      readOnly: false,
    });
    onTestFinished(() => environment.close());
    // What nobody does, so that the two can be told apart.
    const value = bytes("environment's");
    environment.applyStep([
      { table: 16, key: bytes("kept"), version: 9, value },
      { table: 16, key: bytes("gone"), version: 9, value },
    ]);
    expect(looks("kept")).toEqual(["1:old", "1:old"]);
    expect(looks("gone")).toEqual([undefined, undefined]);
    await commit(storage, [record(16, "gone", 10, "new")], [[17, 11]]);
    expect(looks("gone")).toEqual(["10:new", "10:new"]);
    expect(looks("cleared")).toEqual([undefined, undefined]);
    await storage.checkpoint();
    expect(looks("kept")).toEqual(["9:environment's", "9:environment's"]);
    expect(looks("gone")).toEqual(["10:new", "10:new"]);
    expect(looks("cleared")).toEqual([undefined, undefined]);
  });

  it("throws what is wrong with a row when nothing changes meanwhile", async () => {
    const { directory, storage } = await start();
    await commit(storage, [record(16, "a", 1, "x")]);
    const memory = smallMemory();
    const lost = openTaskReader({ directory: join(directory, "elsewhere"), taskId, memory });
    expect(() => seen(lost, "a")).toThrow("data.mdb");
    await lost.close();
  });

  it("closes twice", async () => {
    const { reader, storage } = await start();
    await commit(storage, [record(16, "a", 1, "x")]);
    seen(reader, "b");
    await reader.close();
    await reader.close();
  });
});

describe("reader — a look while its owner works", () => {
  it("looks again when a look was led astray by what changed meanwhile", async () => {
    const { directory, memory, reader, storage } = await start();
    await commit(storage, [record(16, "a", 1, "x")]);
    await storage.checkpoint();
    await commit(storage, [record(16, "b", 2, "x")]);
    await storage.checkpoint();
    expect(seen(reader, "a")).toBe("1:x");
    const looks = vi.spyOn(Environment.prototype, "get");
    onTestFinished(() => looks.mockRestore());
    looks.mockImplementationOnce(() => {
      new ControlWords(memory).exclusively(() => {});
      throw new Error("astray");
    });
    expect(seen(reader, "a")).toBe("1:x");
    expect(looks).toHaveBeenCalledTimes(2);
    looks.mockImplementationOnce(() => {
      throw new Error(`damage in ${directory}`);
    });
    expect(() => seen(reader, "a")).toThrow("damage in");
  });

  it.each([false, true])(
    "gives no page of half a frame: what is published stands behind the end (two layers: %s)",
    async (hasTwo) => {
      const { reader, storage } = await start();
      const keys = Array.from({ length: 1_000 }, (_, at) => `k${1_000 + at}`);
      if (hasTwo) {
        await commit(storage, [record(16, "a", 1, "x")]);
        await storage.checkpoint();
      }
      await commit(
        storage,
        keys.map((key, at) => record(16, key, at + 2, "old")),
      );
      const during: unknown[] = [];
      const setEnd = ControlWords.prototype.setPublishedEnd;
      const ends = vi.spyOn(ControlWords.prototype, "setPublishedEnd");
      onTestFinished(() => ends.mockRestore());
      ends.mockImplementation(function (this: ControlWords, arena, end) {
        during.push(reader.page(16, { from: bytes("k") }, 2_000));
        setEnd.call(this, arena, end);
      });
      await commit(storage, [record(16, "k1500", 2_000, "new"), record(16, "k9", 2_001, "new")]);
      expect(during).toEqual(["busy"]);
      const page = reader.page(16, { from: bytes("k") }, 2_000);
      const rows = page === "busy" ? [] : page.map(({ key, value }) => [text(key), text(value)]);
      expect(rows).toEqual([
        ...keys.map((key) => [key, key === "k1500" ? "new" : "old"]),
        ["k9", "new"],
      ]);
    },
  );
});
