// Bugs here would look like a directory that is changed by the very launch that is refused, or
// opened by two processes at a time.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import {
  type DirectoryRecord,
  directoryAt,
  judgeDirectory,
  prepareDirectory,
  recordDirectory,
  taskDirectory,
} from "../../../runtime/directory.js";
import { acquireOwnerLock } from "../../../runtime/owner-lock.js";
import { type Topology, topology } from "../../../runtime/topology.js";
import { keyValueStore } from "../../../store/declaration.js";
import { integer, string } from "../../../store/key.js";
import type { KeyCodec } from "../../../store/key-form.js";
import { type } from "../../../store/schema.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { tempDirectory } from "../../support/temp-directory.js";

function declared<K>(name: string, stores: Readonly<Record<string, KeyCodec<K>>>) {
  const entries = Object.entries(stores).map(([each, key]) => {
    return [each, keyValueStore({ key, value: type<number>() })] as const;
  });
  return topology(name, import.meta.url, { stores: Object.fromEntries(entries) });
}

/** Every file of a directory with its bytes. */
function contents(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    files.map((file) => {
      const path = join(directory, file);
      return [file, statSync(path).isFile() ? readFileSync(path, "base64") : "directory"];
    }),
  );
}

/** What a launch that is not refused does with a directory. */
async function openDirectory(
  directory: string,
  topology: Topology,
  taskCount: number | undefined,
): Promise<DirectoryRecord> {
  const place = directoryAt(directory);
  const record = await judgeDirectory(place, topology, taskCount);
  await recordDirectory(place, record);
  return record;
}

describe("directory — the record", () => {
  it("is made with the tasks that were asked for, and found again without asking", async () => {
    const directory = tempDirectory();
    const made = await openDirectory(directory, declared("t", { a: string }), 7);
    expect(made).toMatchObject({ format: 5, epoch: 1, topology: "t", taskCount: 7 });
    const found = await openDirectory(directory, declared("t", { a: string }), undefined);
    expect(found).toEqual(made);
    const other = await openDirectory(tempDirectory(), declared("t", { a: string }), undefined);
    expect(other.taskCount).toBe(limits.tasksDefault);
  });

  it("gets the tables of new stores, and keeps those of stores that are gone", async () => {
    const directory = tempDirectory();
    const first = await openDirectory(directory, declared("t", { a: string, b: string }), 2);
    const second = await openDirectory(directory, declared("t", { b: string, c: string }), 2);
    const third = await openDirectory(directory, declared("t", { a: string }), 2);
    expect(second.stores).toMatchObject(first.stores);
    expect(third.stores).toEqual(second.stores);
  });

  it("is written whole or not at all: a draft left behind changes nothing (I1)", async () => {
    const directory = tempDirectory();
    const made = await openDirectory(directory, declared("t", { a: string }), 3);
    writeFileSync(join(directory, "partita.json.new"), '{"format":4,"topo');
    expect(await openDirectory(directory, declared("t", { a: string }), 3)).toEqual(made);
    await openDirectory(directory, declared("t", { a: string, b: string }), 3);
    expect(existsSync(join(directory, "partita.json.new"))).toBe(false);
  });

  it("gives task directories names that are numbers", () => {
    expect(taskDirectory("/data", 7)).toBe("/data/t0007");
    expect(taskDirectory("/data", 1_023)).toBe("/data/t1023");
  });
});

describe("directory — what does not fit is refused, and nothing is changed (I2)", () => {
  async function refused(directory: string, open: () => Promise<unknown>, expected: object) {
    const before = contents(directory);
    await expect(open()).rejects.toMatchObject(expected);
    expect(contents(directory)).toEqual(before);
  }

  async function made(): Promise<string> {
    const directory = tempDirectory();
    await openDirectory(directory, declared("bank", { a: string }), 4);
    return directory;
  }

  it("another topology, saying both", async () => {
    const directory = await made();
    await refused(directory, () => openDirectory(directory, declared("shop", { a: string }), 4), {
      code: "TOPOLOGY_MISMATCH",
      details: { directory, recorded: 'topology "bank"', declared: 'topology "shop"' },
    });
  });

  it("another number of tasks, saying both", async () => {
    const directory = await made();
    await refused(directory, () => openDirectory(directory, declared("bank", { a: string }), 5), {
      code: "TASK_COUNT_MISMATCH",
      details: { directory, recorded: 4, asked: 5 },
    });
  });

  it("a store with other keys, saying both", async () => {
    const directory = await made();
    const other = declared("bank", { a: integer });
    await refused(directory, () => openDirectory(directory, other, undefined), {
      code: "TOPOLOGY_MISMATCH",
      details: {
        recorded: expect.stringContaining('store "a" with keys string'),
        declared: expect.stringContaining('store "a" with keys integer'),
      },
    });
  });

  it("a format of another time, saying both", async () => {
    const directory = await made();
    const open = () => openDirectory(directory, declared("bank", { a: string }), 4);
    // 1 had no epoch in the streams, 2 no trees of invocations, 3 none of them in records; none of
    // them was released.
    for (const format of [99, 1, 2, 3]) {
      writeFileSync(join(directory, "partita.json"), `{"format":${format}}`);
      await refused(directory, open, {
        code: "FORMAT_UNKNOWN",
        details: { recorded: `${format}`, known: ["5"] },
      });
    }
    for (const text of ["null", "[]", '"text"', "{}"]) {
      writeFileSync(join(directory, "partita.json"), text);
      await refused(directory, open, { code: "FORMAT_UNKNOWN" });
    }
  });

  it("a record that is no JSON", async () => {
    const directory = await made();
    writeFileSync(join(directory, "partita.json"), '{"format":4,');
    const open = () => openDirectory(directory, declared("bank", { a: string }), 4);
    await refused(directory, open, { code: "DIRECTORY_INVALID" });
  });

  it("a path that is a file", async () => {
    const directory = tempDirectory();
    const file = join(directory, "file");
    writeFileSync(file, "x");
    await refused(directory, () => prepareDirectory(file), { code: "DIRECTORY_INVALID" });
    await refused(directory, () => prepareDirectory(join(file, "below")), {
      code: "DIRECTORY_INVALID",
    });
  });

  it("makes a directory that only its owner can look into", async () => {
    const directory = join(tempDirectory(), "deep", "data");
    await prepareDirectory(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });
});

describe("owner lock (V1, S10)", () => {
  it("refuses a second opener at once, with the owner's pid, until the first lets go", async () => {
    const directory = tempDirectory();
    const lock = await acquireOwnerLock(directory);
    await expect(acquireOwnerLock(directory)).rejects.toMatchObject({
      code: "DIRECTORY_LOCKED",
      details: { directory, pid: process.pid },
    });
    await lock.release();
    await lock.release();
    expect(readdirSync(directory)).toEqual([]);
    const next = await acquireOwnerLock(directory);
    await next.release();
  });

  it("knows a directory by whatever path it is reached, and others are free", async () => {
    const directory = tempDirectory();
    const link = join(tempDirectory(), "link");
    symlinkSync(directory, link);
    const lock = await acquireOwnerLock(directory);
    await expect(acquireOwnerLock(link)).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
    const around = join(directory, "..", basename(directory));
    await expect(acquireOwnerLock(around)).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
    const other = await acquireOwnerLock(tempDirectory());
    await Promise.all([lock.release(), other.release()]);
  });

  it("is free again when it could not be taken whole", async () => {
    const directory = tempDirectory();
    mkdirSync(join(directory, "owner.pid"));
    await expect(acquireOwnerLock(directory)).rejects.toThrow("EISDIR");
    await expect(acquireOwnerLock(directory)).rejects.toThrow("EISDIR");
  });

  it("holds for a launched topology, and is let go by its close", async () => {
    const directory = tempDirectory();
    const bank = declared("bank", { a: string });
    const first = await inlineCluster(bank, { directory });
    await expect(inlineCluster(bank, { directory })).rejects.toMatchObject({
      code: "DIRECTORY_LOCKED",
      details: { pid: process.pid },
    });
    await first.close();
    const second = await inlineCluster(bank, { directory });
    await second.close();
  });

  it("is let go when the launch is refused", async () => {
    const directory = tempDirectory();
    const first = await inlineCluster(declared("bank", { a: string }), { directory, tasks: 2 });
    await first.close();
    const refused = inlineCluster(declared("shop", { a: string }), { directory, tasks: 2 });
    await expect(refused).rejects.toMatchObject({ code: "TOPOLOGY_MISMATCH" });
    const again = await inlineCluster(declared("bank", { a: string }), { directory, tasks: 2 });
    await again.close();
  });
});
