// Environment — one task's LMDB environment: layout, order, steps, several openings, damage.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { Environment, type EnvironmentWrite } from "../../../store/environment.js";
import type { KeyRange } from "../../../store/storage.js";
import { check } from "../../support/property.js";
import { bytes, hex, hostileKeys, keyBytes, text } from "../../support/storage-bytes.js";
import { tempDirectory } from "../../support/temp-directory.js";

function openAt(path: string, readOnly = false): Environment {
  const environment = Environment.open(path, { taskId: 7, readOnly });
  onTestFinished(() => environment.close());
  return environment;
}

function row(table: number, key: string, version: number, value?: string): EnvironmentWrite {
  return {
    table,
    key: bytes(key),
    version,
    value: value === undefined ? undefined : bytes(value),
  };
}

function shown(environment: Environment, table: number, key: string): string | undefined {
  const stored = environment.get(table, bytes(key));
  return stored === undefined ? undefined : `${stored.version}:${text(stored.value)}`;
}

function problemOf(action: () => unknown): PartitaError {
  try {
    action();
  } catch (error) {
    if (PartitaError.is(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("environment — rows", () => {
  it("returns what a step wrote, and nothing for a key without a row", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    environment.applyStep([row(16, "a", 3, "one"), row(17, "a", 4, "")]);
    expect(shown(environment, 16, "a")).toBe("3:one");
    expect(shown(environment, 17, "a")).toBe("4:");
    expect(shown(environment, 16, "b")).toBeUndefined();
    expect(shown(environment, 18, "a")).toBeUndefined();
  });

  it("removes a row, and lets a later write of the step win", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    environment.applyStep([row(16, "a", 1, "one"), row(16, "b", 2, "two")]);
    environment.applyStep([row(16, "a", 3), row(16, "c", 4), row(16, "b", 5, "x")]);
    environment.applyStep([row(16, "b", 6), row(16, "b", 7, "seven")]);
    expect(shown(environment, 16, "a")).toBeUndefined();
    expect(shown(environment, 16, "b")).toBe("7:seven");
  });

  it("keeps versions beyond 32 bits", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    environment.applyStep([row(16, "a", Number.MAX_SAFE_INTEGER, "v"), row(16, "b", 2 ** 32, "")]);
    expect(environment.get(16, bytes("a"))?.version).toBe(Number.MAX_SAFE_INTEGER);
    expect(environment.get(16, bytes("b"))?.version).toBe(2 ** 32);
  });

  it("keeps the longest key and a value of several megabytes", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    const key = new Uint8Array(1_976).fill(0xff);
    const value = new Uint8Array(8 * 1024 * 1024).map((_, index) => index % 251);
    environment.applyStep([{ table: 65_534, key, version: 1, value }]);
    expect(Buffer.compare(environment.get(65_534, key)?.value ?? key, value)).toBe(0);
    const page = environment.page(65_534, {}, 2);
    expect(page.map((found) => hex(found.key))).toEqual([hex(key)]);
    expect(Buffer.compare(page[0]?.value ?? key, value)).toBe(0);
    expect(shown(environment, 65_534, "small")).toBeUndefined();
  });

  it("returns rows of all lengths as they were written in one step", async () => {
    // Around those for which buffers are used again, hashed in JavaScript, or kept on the heap.
    const lengths = fc.constantFrom(0, 1, 5, 31, 33, 63, 65, 147, 161, 4_082, 4_083, 4_084, 9_000);
    const byte = fc.nat(255);
    const one = fc.record({ keyLength: fc.constantFrom(1, 2, 30, 33, 150, 1_976), lengths, byte });
    const property = fc.property(fc.array(one, { minLength: 2, maxLength: 12 }), (chosen) => {
      const environment = openAt(join(tempDirectory(), "env"));
      const rows = chosen.map(({ keyLength, lengths: length, byte: fill }, index) => {
        const key = new Uint8Array(keyLength).fill(1 + index);
        return {
          table: 16 + index,
          key,
          version: 1 + index,
          value: new Uint8Array(length).fill(fill),
        };
      });
      environment.step((writer) => {
        for (const { table, key, version, value } of rows) {
          const around = Buffer.concat([bytes("before"), key, value, bytes("behind")]);
          const keyEnd = 6 + key.length;
          writer.put(table, version, around, 6, keyEnd, keyEnd + value.length);
        }
      });
      for (const { table, key, version, value } of rows) {
        expect(environment.get(table, key)).toEqual({ version, value });
        expect(environment.page(table, {}, 2)).toEqual([{ key, version, value }]);
      }
    });
    await check(property, { runs: 15 });
  });

  it("returns copies that survive later reads and writes and share no memory", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    environment.applyStep([row(16, "a", 1, "one"), row(16, "b", 2, "two")]);
    const first = environment.get(16, bytes("a"));
    const page = environment.page(16, {}, 10);
    environment.get(16, bytes("b"));
    environment.applyStep([row(16, "a", 3, "new"), row(16, "b", 4, "new")]);
    environment.get(16, bytes("a"));
    expect(text(first?.value ?? bytes(""))).toBe("one");
    expect(page.map(({ key, value }) => text(key) + text(value))).toEqual(["aone", "btwo"]);
    first?.value.fill(0);
    page[1]?.value.fill(0);
    page[1]?.key.fill(0);
    expect(shown(environment, 16, "a")).toBe("3:new");
    expect(shown(environment, 16, "b")).toBe("4:new");
  });

  it("takes values and keys that lie in shared memory", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    const shared = new Uint8Array(new SharedArrayBuffer(16));
    shared.set(bytes("..keyvalue.."));
    const key = shared.subarray(2, 5);
    environment.applyStep([{ table: 16, key, version: 1, value: shared.subarray(5, 10) }]);
    shared.fill(0);
    expect(shown(environment, 16, "key")).toBe("1:value");
  });
});

describe("environment — pages", () => {
  it("keeps tables apart, also the first and neighbours, in both directions", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    const tables = [0, 1, 15, 16, 255, 256, 65_534];
    environment.applyStep(
      tables.flatMap((table) => hostileKeys.map((key) => ({ table, key, version: 1, value: key }))),
    );
    const sorted = [...hostileKeys].sort(Buffer.compare).map(hex);
    for (const table of tables) {
      expect(environment.page(table, {}, 1_000).map(({ key }) => hex(key))).toEqual(sorted);
      const down = environment.page(table, { reverse: true }, 1_000);
      expect(down.map(({ key }) => hex(key))).toEqual([...sorted].reverse());
    }
    expect(environment.page(2, {}, 1_000)).toEqual([]);
    expect(environment.page(2, { reverse: true }, 1_000)).toEqual([]);
  });

  it("agrees with a sorted list for any keys, bounds, direction and limit", async () => {
    const environment = openAt(join(tempDirectory(), "env"));
    let table = 0;
    const bounds = fc.record(
      { from: keyBytes, to: keyBytes, reverse: fc.boolean() },
      { requiredKeys: [] },
    );
    const property = fc.property(
      fc.array(keyBytes, { maxLength: 20 }),
      bounds,
      fc.nat(25),
      (keys, range: KeyRange, limit) => {
        table += 1;
        environment.applyStep(keys.map((key) => ({ table, key, version: 1, value: key })));
        const inRange = [...new Map(keys.map((key) => [hex(key), key])).values()]
          .filter((key) => range.from === undefined || Buffer.compare(key, range.from) >= 0)
          .filter((key) => range.to === undefined || Buffer.compare(key, range.to) < 0)
          .sort(Buffer.compare);
        if (range.reverse) inRange.reverse();
        const page = environment.page(table, range, limit);
        expect(page.map(({ key }) => hex(key))).toEqual(inRange.slice(0, limit).map(hex));
        expect(page.map(({ value }) => hex(value))).toEqual(inRange.slice(0, limit).map(hex));
      },
    );
    await check(property, { runs: 300 });
  });
});

describe("environment — steps", () => {
  it("writes nothing of a step that is refused", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    environment.applyStep([row(16, "a", 1, "one")]);
    const tooLong = { table: 16, key: new Uint8Array(1_977), version: 2, value: bytes("") };
    expect(() => environment.applyStep([row(16, "a", 2, "two"), tooLong])).toThrow("1977 bytes");
    const empty = { table: 16, key: new Uint8Array(0), version: 2, value: undefined };
    expect(() => environment.applyStep([row(16, "a", 2), empty])).toThrow("0 bytes");
    expect(shown(environment, 16, "a")).toBe("1:one");
  });

  it("rolls back a step whose bytes cannot be read half way", () => {
    const environment = openAt(join(tempDirectory(), "env"));
    environment.applyStep([row(16, "a", 1, "one")]);
    const failing = {
      table: 16,
      key: bytes("b"),
      version: 2,
      get value(): Uint8Array {
        throw new Error("unreadable");
      },
    };
    expect(() => environment.applyStep([row(16, "a", 2, "two"), failing])).toThrow("unreadable");
    expect(shown(environment, 16, "a")).toBe("1:one");
    environment.applyStep([row(16, "a", 3, "three")]);
    expect(shown(environment, 16, "a")).toBe("3:three");
  });

  it("keeps its rows when it is closed and opened again", async () => {
    const path = join(tempDirectory(), "env");
    const first = openAt(path);
    first.applyStep([row(16, "a", 1, "one")]);
    await first.close();
    await first.close();
    expect(shown(openAt(path), 16, "a")).toBe("1:one");
  });

  it("refuses to be used once it is closed", async () => {
    const environment = openAt(join(tempDirectory(), "env"));
    await environment.close();
    expect(() => environment.get(16, bytes("a"))).toThrow("closed");
    expect(() => environment.page(16, {}, 1)).toThrow("closed");
    expect(() => environment.applyStep([])).toThrow("closed");
    expect(() => environment.refresh()).toThrow("closed");
  });
});

describe("environment — files", () => {
  it("makes a directory and files that only their owner can read", () => {
    const path = join(tempDirectory(), "t0001.with.dots", "env.d");
    openAt(path).applyStep([row(16, "a", 1, "one")]);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, "data.mdb")).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, "lock.mdb")).mode & 0o777).toBe(0o600);
  });

  it("refuses to read where there is nothing, and creates nothing there", () => {
    const path = join(tempDirectory(), "missing");
    const problem = problemOf(() => openAt(path, true));
    expect(problem.code).toBe("DIRECTORY_INVALID");
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
    mkdirSync(path);
    expect(problemOf(() => openAt(path, true)).code).toBe("DIRECTORY_INVALID");
  });

  it("refuses a file that is no environment, for reading and for writing", () => {
    const contents = [
      Buffer.alloc(0),
      Buffer.alloc(100, 1),
      Buffer.alloc(64 * 1024),
      Buffer.alloc(64 * 1024, "not an environment "),
    ];
    for (const content of contents) {
      const path = join(tempDirectory(), "env");
      mkdirSync(path);
      writeFileSync(join(path, "data.mdb"), content);
      for (const readOnly of [false, true]) {
        const problem = problemOf(() => openAt(path, readOnly));
        expect(problem.code).toBe("STORE_CORRUPT");
        expect(problem.details).toMatchObject({ taskId: 7 });
      }
    }
  });

  it("refuses an environment whose meta pages are damaged or which was cut", async () => {
    const directory = tempDirectory();
    const first = openAt(join(directory, "env"));
    for (let version = 1; version <= 50; version += 1) {
      first.applyStep([row(16, `key ${version}`, version, "value".repeat(100))]);
    }
    await first.close();
    const sound = readFileSync(join(directory, "env", "data.mdb"));
    const damages: ((file: Buffer) => Buffer)[] = [
      (file) => file.fill(0, 0, 4_096),
      (file) => file.fill(0, 4_096, 8_192),
      (file) => file.fill(0xff, 0x30, 0x34),
      (file) => file.fill(3, 0x1c, 0x1d),
      (file) => file.fill(1, 0x8c, 0x8d),
      (file) => file.subarray(0, 4_096),
      (file) => file.subarray(0, 8_192),
    ];
    for (const [index, damage] of damages.entries()) {
      const path = join(directory, `damaged-${index}`);
      mkdirSync(path);
      writeFileSync(join(path, "data.mdb"), damage(Buffer.from(sound)));
      expect(problemOf(() => openAt(path)).code, `damage ${index}`).toBe("STORE_CORRUPT");
    }
  });

  it("starts over when a power cut left a creation unfinished", () => {
    const path = join(tempDirectory(), "env");
    mkdirSync(join(path, "new"), { recursive: true });
    writeFileSync(join(path, "new", "data.mdb"), Buffer.alloc(8_192));
    const environment = openAt(path);
    environment.applyStep([row(16, "a", 1, "one")]);
    expect(shown(environment, 16, "a")).toBe("1:one");
    expect(readdirSync(path).sort()).toEqual(["data.mdb", "lock.mdb"]);
  });

  it("names table and key of a value with any bit turned over", async () => {
    const directory = tempDirectory();
    const path = join(directory, "env");
    const first = openAt(path);
    first.applyStep([row(258, "the key", 77, "the value that is damaged")]);
    await first.close();
    const sound = readFileSync(join(path, "data.mdb"));
    const start = sound.lastIndexOf("the value that is damaged") - 13;
    expect(start).toBeGreaterThan(4_096);
    for (let bit = 0; bit < (13 + 25) * 8; bit += 5) {
      const damaged = Buffer.from(sound);
      const at = start + (bit >> 3);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (bit & 7));
      const copy = join(directory, `damaged-${bit}`);
      mkdirSync(copy);
      writeFileSync(join(copy, "data.mdb"), damaged);
      const environment = openAt(copy);
      for (const read of [
        () => environment.get(258, bytes("the key")),
        () => environment.page(258, {}, 1),
      ]) {
        const problem = problemOf(read);
        expect(problem.code).toBe("STORE_CORRUPT");
        expect(problem.message).toContain("746865206b6579 in table 258");
      }
      await environment.close();
    }
  });

  it("finds a value that belongs to another key", async () => {
    const path = join(tempDirectory(), "env");
    const first = openAt(path);
    first.applyStep([row(16, "key-one", 1, "value"), row(16, "key-two", 1, "value")]);
    await first.close();
    const file = readFileSync(join(path, "data.mdb"));
    for (let at = file.indexOf("key-one"); at >= 0; at = file.indexOf("key-one", at + 1)) {
      file.write("key-onf", at);
    }
    writeFileSync(join(path, "data.mdb"), file);
    const environment = openAt(path);
    expect(problemOf(() => environment.get(16, bytes("key-onf"))).code).toBe("STORE_CORRUPT");
    expect(shown(environment, 16, "key-two")).toBe("1:value");
  });
});

describe("environment — several openings on one thread", () => {
  it("leaves every other opening usable when one is closed, whatever the order", async () => {
    const orders = [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [1, 0, 3, 2],
      [2, 3, 0, 1],
    ];
    for (const order of orders) {
      const path = join(tempDirectory(), "env");
      const all = [openAt(path), openAt(path, true), openAt(path), openAt(path, true)];
      let version = 0;
      for (const closing of order) {
        const writer = all[0] ?? all[2];
        version += 1;
        writer?.applyStep([row(16, "a", version, "value")]);
        const expected = writer === undefined ? version - 1 : version;
        if (writer === undefined) version -= 1;
        for (const environment of all) {
          environment?.refresh();
          if (environment !== undefined) {
            expect(shown(environment, 16, "a")).toBe(`${expected}:value`);
            expect(environment.page(16, {}, 5)).toHaveLength(1);
          }
        }
        await all[closing]?.close();
        delete all[closing];
      }
    }
  });

  it("shows an opening what another has written as soon as it refreshes", () => {
    const path = join(tempDirectory(), "env");
    const writer = openAt(path);
    const reader = openAt(path, true);
    for (let version = 1; version <= 200; version += 1) {
      writer.applyStep([row(16, "a", version, "value")]);
      reader.refresh();
      expect(reader.get(16, bytes("a"))?.version).toBe(version);
      reader.refresh();
      expect(reader.page(16, { reverse: version % 2 === 0 }, 5)[0]?.version).toBe(version);
    }
  });

  it("refuses to write through an opening for reading", () => {
    const path = join(tempDirectory(), "env");
    openAt(path);
    expect(() => openAt(path, true).applyStep([row(16, "a", 1, "x")])).toThrow("read-only");
  });
});
