// Bugs here would look like the hash of one request's key given to another: the wrong row, or a key
// that is said to belong to another task.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { ByteWriter } from "../../../base/byte-writer.js";
import { limits } from "../../../base/limits.js";
import {
  noBytes,
  operation,
  Request,
  stampKind,
  writeRequest,
} from "../../../runtime/lane-encoding.js";
import { LookAhead } from "../../../runtime/look-ahead.js";
import { Overlay } from "../../../runtime/overlay.js";
import { hashKey } from "../../../store/key-hash.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { check } from "../../support/property.js";
import { bytes } from "../../support/storage-bytes.js";
import { answer, TaskBench } from "../../support/task-bench.js";
import { openOnDisk, smallMemory } from "../../support/storage-fixture.js";
import { tempDirectory } from "../../support/temp-directory.js";

const own = { ownRowsMax: 100, ownBytesMax: 1_000_000 };
const bounds = { rowsMax: 1_000, bytesMax: 1_000_000, valueBytesMax: 10_000, ...own };
const stamp = { kind: stampKind.call, id: new Uint8Array(16), reads: noBytes };

interface Sent {
  readonly key: string;
  readonly argumentBytes: number;
  readonly stamped: boolean;
}

/** The body of a section. */
function bodyOf(requests: readonly Sent[]): Uint8Array {
  const body = new ByteWriter(64);
  for (const { key, argumentBytes, stamped } of requests) {
    const argument = new Uint8Array(argumentBytes);
    writeRequest(body, operation.put, 16, bytes(key), argument, stamped ? stamp : undefined);
  }
  return body.finish();
}

/** What it says of each request of a section; `undefined` when it has computed nothing. */
function seen(ahead: LookAhead, body: Uint8Array): (number | undefined)[] {
  const found: (number | undefined)[] = [];
  const reader = new ByteReader(body);
  const each = new Request();
  ahead.begin();
  while (!reader.done) {
    const hash = ahead.next(reader);
    each.read(reader);
    found.push(hash === -1 ? undefined : hash);
  }
  return found;
}

function newLookAhead(): LookAhead {
  return new LookAhead(new Overlay(MemoryStorage.create(), bounds));
}

describe("look-ahead", () => {
  it("says the hash of each request's key or nothing, whatever lies in between", async () => {
    const one = fc.record({
      key: fc.string({ minLength: 1, maxLength: 30 }),
      argumentBytes: fc.nat(60),
      stamped: fc.nat(30).map((chance) => chance === 0),
    });
    const sections = fc.array(fc.array(one, { minLength: 40, maxLength: 120, size: "max" }), {
      maxLength: 4,
    });
    const property = fc.property(sections, (chosen) => {
      const ahead = newLookAhead();
      for (const requests of chosen) {
        for (const [index, hash] of seen(ahead, bodyOf(requests)).entries()) {
          if (hash !== undefined) expect(hash).toBe(hashKey(bytes(requests[index]?.key ?? "")));
        }
      }
    });
    await check(property, { runs: 100 });
  });

  it("looks through all but the end of a section, and through no small one", () => {
    const requests = Array.from({ length: 200 }, (_, index) => {
      return { key: `key-${index}`, argumentBytes: 20, stamped: false };
    });
    const ahead = newLookAhead();
    const found = seen(ahead, bodyOf(requests));
    const last = limits.lookAheadRequests * 5;
    expect(found.slice(0, last)).toEqual(
      requests.slice(0, last).map(({ key }) => hashKey(bytes(key))),
    );
    expect(seen(ahead, bodyOf(requests.slice(0, 10)))).toEqual(new Array(10).fill(undefined));
  });

  it("leaves what requests come to as it is, in whatever layer their rows lie", async () => {
    const storage = await openOnDisk(tempDirectory(), smallMemory());
    const bench = new TaskBench({
      storage,
      updates: { add: (count, by: number) => (typeof count === "number" ? count : 0) + by },
    });
    const key = (index: number) => `key-${(index * 7) % 300}`;
    for (let round = 1; round <= 6; round += 1) {
      bench.ask(
        ...Array.from({ length: 300 }, (_, index) => bench.update("add", key(index), index)),
      );
      const sums = Array.from({ length: 300 }, (_, index) => index * round);
      expect(bench.run().map(answer)).toEqual(sums);
      if (round === 3) await storage.checkpoint();
    }
    expect(bench.stored(key(11))).toBe(66);
    await storage.close();
  });
});
