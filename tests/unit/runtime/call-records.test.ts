// S6: a call with an id takes effect once, whatever dies, and its record is where its effects are.
// Bugs here would look like a second effect of a retry, another reply to it, or records that pile
// up for ever.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../base/byte-writer.js";
import { limits } from "../../../base/limits.js";
import { callId, parseCallId } from "../../../runtime/call-id.js";
import { callDigest, decodeRecord } from "../../../runtime/call-records.js";
import { operationId } from "../../../runtime/operation-id.js";
import {
  noBytes,
  operation,
  type Stamp,
  stampKind,
  writeRequest,
} from "../../../runtime/lane-encoding.js";
import { systemTable } from "../../../runtime/system-table.js";
import { reply } from "../../../store/declaration.js";
import { string } from "../../../store/key.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { encodeValue } from "../../../store/value.js";
import { check } from "../../support/property.js";
import { answer, benchTable, TaskBench } from "../../support/task-bench.js";

const startMs = 1_700_000_000_000;
const updates = {
  add: (count: unknown, by: number) => (typeof count === "number" ? count : 0) + by,
  refuse: (_count: unknown, isRefused: boolean) => {
    if (isRefused) throw new Error("not now");
    return "done";
  },
  grow: (_: unknown, bytes: number) => "x".repeat(bytes),
  boast: (_: unknown, bytes: number) => reply("small", "x".repeat(bytes)),
};

/** The `n`-th call's id, `ageMs` before the bench's clock. */
function stampOf(n: number, ageMs = 0): Stamp {
  const id = parseCallId("a test", callId(`call ${n}`, startMs - ageMs), startMs);
  return { kind: stampKind.call, id, reads: noBytes };
}

function add(stamp: Stamp, key: string, by: number): (body: ByteWriter) => void {
  return update(stamp, "add", key, by);
}

function update(
  stamp: Stamp,
  name: string,
  key: string,
  argument: unknown,
): (body: ByteWriter) => void {
  const bytes = new ByteWriter();
  bytes.u16(Object.keys(updates).sort().indexOf(name));
  bytes.u32(1);
  bytes.lengthPrefixed(encodeValue(argument));
  const written = bytes.finish();
  return (body) => {
    writeRequest(body, operation.update, benchTable, string.encode(key), written, stamp);
  };
}

function bench(storage: MemoryStorage, retention?: { retentionMs?: number; recordsMax?: number }) {
  const { retentionMs = limits.callRetentionMs, recordsMax = limits.callRecordsMax } =
    retention ?? {};
  return new TaskBench({ updates, storage, callRetention: { retentionMs, recordsMax } });
}

function codeOf(reply: unknown): unknown {
  return typeof reply === "object" && reply !== null && "error" in reply
    ? Reflect.get(Object(reply.error), "code")
    : undefined;
}

describe("call records — an operation of a node that says it is the first", () => {
  const id = operationId(new Uint8Array(24).fill(7), 0);
  const first: Stamp = { kind: stampKind.first, id, reads: noBytes };

  it.each(["interval", "relaxed"] as const)(
    "was carried out before, in mode %s: its task forgot that in a power cut",
    (durability) => {
      const on = new TaskBench({ updates, storage: MemoryStorage.create(), durability });
      on.ask(add(first, "a", 5));
      on.run();
      on.ask(add(first, "a", 5));
      expect(on.run().map(answer)).toEqual([5]);
      expect(on.stored("a")).toBe(5);
    },
  );
});

describe("call records — a call that comes again", () => {
  it("gets the first reply and changes nothing, within one batch and later", () => {
    const on = bench(MemoryStorage.create());
    on.ask(add(stampOf(1), "a", 5), add(stampOf(1), "a", 5), add(stampOf(2), "a", 1));
    expect(on.run().map(answer)).toEqual([5, 5, 6]);
    on.ask(add(stampOf(1), "a", 5), add(stampOf(2), "a", 1));
    expect(on.run().map(answer)).toEqual([5, 6]);
    expect(on.stored("a")).toBe(6);
  });

  it("gets it after a crash and after a checkpoint too", async () => {
    const storage = MemoryStorage.create();
    const on = bench(storage);
    on.ask(add(stampOf(1), "a", 5));
    on.run();
    await storage.checkpoint();
    const again = bench(storage.crash());
    again.ask(add(stampOf(1), "a", 5));
    expect(again.run().map(answer)).toEqual([5]);
    expect(again.stored("a")).toBe(5);
  });

  it("is carried out when a crash took both its effect and its record", () => {
    const storage = MemoryStorage.create();
    const on = bench(storage);
    on.ask(add(stampOf(1), "a", 5));
    on.step();
    const again = bench(storage.crash());
    again.ask(add(stampOf(1), "a", 5));
    expect(again.run().map(answer)).toEqual([5]);
  });

  it("is refused when it is another call: another key, update or argument", () => {
    const on = bench(MemoryStorage.create());
    on.ask(
      add(stampOf(1), "a", 5),
      add(stampOf(1), "b", 5),
      add(stampOf(1), "a", 6),
      update(stampOf(1), "grow", "a", 5),
    );
    expect(on.run().map(codeOf)).toEqual([undefined, "ID_REUSED", "ID_REUSED", "ID_REUSED"]);
    expect(on.stored("a")).toBe(5);
  });

  it("is tried anew when it was refused: nothing had changed", () => {
    const on = bench(MemoryStorage.create());
    on.ask(update(stampOf(1), "refuse", "a", true));
    expect(on.run().map(codeOf)).toEqual(["UPDATE_THREW"]);
    on.ask(update(stampOf(1), "refuse", "a", false));
    expect(on.run().map(answer)).toEqual(["done"]);
  });

  it("records a reply as large as the largest value", () => {
    const on = new TaskBench({ updates, valueBytesMax: 2_000 });
    on.ask(update(stampOf(1), "grow", "a", 1_990), update(stampOf(1), "grow", "a", 1_990));
    expect(on.run().map(answer)).toEqual(["x".repeat(1_990), "x".repeat(1_990)]);
  });

  it("leaves no effect when its reply is too large to be recorded", () => {
    const on = new TaskBench({ updates, valueBytesMax: 2_000 });
    on.ask(add(stampOf(1), "a", 5), update(stampOf(2), "boast", "a", 80_000));
    expect(on.run().map(codeOf)).toEqual([undefined, "VALUE_TOO_LARGE"]);
    expect(on.stored("a")).toBe(5);
  });

  it("takes one effect for any sequence of calls, retries, commits and crashes", async () => {
    const event = fc.oneof(
      { weight: 6, arbitrary: fc.nat(7) },
      { weight: 2, arbitrary: fc.constantFrom("commit", "crash", "checkpoint") },
    );
    const property = fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      let storage = MemoryStorage.create();
      let on = bench(storage);
      for (const next of events) {
        if (typeof next === "number") on.ask(add(stampOf(next), `key ${next % 3}`, next + 1));
        else if (next === "commit") on.run();
        else if (next === "checkpoint") await storage.checkpoint();
        else {
          storage = storage.crash();
          on = bench(storage);
        }
      }
      // Everybody calls until there is an answer.
      for (let call = 0; call < 8; call += 1) {
        on.ask(add(stampOf(call), `key ${call % 3}`, call + 1));
      }
      on.run();
      const sums = [0, 1, 2].map((key) => on.stored(`key ${key}`));
      expect(sums).toEqual([1 + 4 + 7, 2 + 5 + 8, 3 + 6]);
    });
    await check(property);
  });
});

describe("call records — how long they are kept", () => {
  it("refuses an id that is older than the retention and has no record", () => {
    const on = bench(MemoryStorage.create(), { retentionMs: 10_000 });
    on.ask(add(stampOf(1, 10_001), "a", 5), add(stampOf(2, 10_000), "a", 1));
    const [old, young] = on.run();
    expect(codeOf(old)).toBe("ID_EXPIRED");
    expect(answer(young)).toBe(1);
  });

  it("never carries out a call whose record was deleted to keep within the bound", () => {
    const storage = MemoryStorage.create();
    const on = bench(storage, { recordsMax: 3 });
    for (let call = 0; call < 10; call += 1) {
      on.ask(add(stampOf(call, 1_000 - call), "a", 1));
      on.run();
    }
    const again = bench(storage.crash(), { recordsMax: 3 });
    for (let call = 0; call < 10; call += 1) again.ask(add(stampOf(call, 1_000 - call), "a", 1));
    const replies = again.run();
    expect(again.stored("a")).toBe(10);
    const expired = replies.filter((reply) => codeOf(reply) === "ID_EXPIRED").length;
    const repeated = replies.filter((reply) => codeOf(reply) === undefined).map(answer);
    expect(expired).toBeGreaterThanOrEqual(6);
    // The newest are known, and answer what they answered.
    expect(repeated).toEqual([7, 8, 9, 10].slice(-repeated.length));
  });

  it("keeps no more rows than the bound and one frame's worth", () => {
    const storage = MemoryStorage.create();
    const on = bench(storage, { recordsMax: 50 });
    for (let round = 0; round < 20; round += 1) {
      for (let call = 0; call < 30; call += 1) {
        on.ask(add(stampOf(round * 30 + call, 100_000 - round * 30 - call), "a", 1));
      }
      on.run();
    }
    const rows = storage.page(systemTable.calls, { from: Uint8Array.of(1) }, 10_000);
    expect(rows.length).toBeLessThanOrEqual(50 + 30);
    expect(on.stored("a")).toBe(600);
  });

  it("deletes the record of the oldest id first, though it came later than another", () => {
    const on = bench(MemoryStorage.create(), { recordsMax: 2 });
    for (const [call, ageMs] of [
      [1, 50],
      [2, 100],
      [3, 10],
      [4, 5],
    ] as const) {
      on.ask(add(stampOf(call, ageMs), "a", 1));
      if (call !== 4) on.run();
    }
    on.ask(add(stampOf(1, 50), "a", 1), add(stampOf(2, 100), "a", 1), add(stampOf(3, 10), "a", 1));
    const [fourth, first, second, third] = on.run();
    expect(codeOf(second)).toBe("ID_EXPIRED");
    expect([fourth, first, third].map((reply) => reply && answer(reply))).toEqual([4, 1, 3]);
  });

  it("deletes records that have grown old, in a frame that other calls bring about", () => {
    const storage = MemoryStorage.create();
    const on = bench(storage, { retentionMs: 10_000 });
    on.ask(add(stampOf(1), "a", 5));
    on.run();
    on.system.nowMs += 20_000;
    const young = parseCallId("a test", callId("later", on.system.nowMs), on.system.nowMs);
    on.ask(add({ kind: stampKind.call, id: young, reads: noBytes }, "a", 1));
    on.run();
    const rows = storage.page(systemTable.calls, { from: Uint8Array.of(1) }, 10);
    expect(rows.map(({ key }) => Buffer.from(key).toString("hex"))).toEqual([
      Buffer.from(young).toString("hex"),
    ]);
    on.system.nowMs = startMs;
    on.ask(add(stampOf(1), "a", 5));
    // A clock that is set back does not bring an id back to life.
    expect(on.run().map(codeOf)).toEqual(["ID_EXPIRED"]);
  });
});

describe("call records — an id that is older than what was deleted with its own frame", () => {
  it("is deleted before newer ones, and no call that was deleted is carried out again", () => {
    const storage = MemoryStorage.create();
    const on = bench(storage, { recordsMax: 3 });
    on.ask(add(stampOf(1, 100), "a", 1), add(stampOf(2, 50), "a", 1));
    on.run();
    // The frame that brings the third deletes the two before: one older, one newer than it.
    on.ask(add(stampOf(3, 70), "a", 1), add(stampOf(4, 10), "a", 1), add(stampOf(5, 5), "a", 1));
    on.run();
    on.ask(add(stampOf(6, 4), "a", 1));
    on.run();
    const ages = [100, 50, 70, 10, 5, 4];
    on.ask(...ages.map((ageMs, index) => add(stampOf(index + 1, ageMs), "a", 1)));
    const replies = on.run();
    expect(replies.slice(0, 3).map(codeOf)).toEqual(["ID_EXPIRED", "ID_EXPIRED", "ID_EXPIRED"]);
    expect(replies.slice(3).map(answer)).toEqual([4, 5, 6]);
    expect(on.stored("a")).toBe(6);
  });
});

describe("call records — operations of nodes", () => {
  const id = operationId(new Uint8Array(24).fill(7), 3);
  const again: Stamp = { kind: stampKind.again, id, reads: noBytes };

  it("carries out another operation at a place that has a record, and records it instead", () => {
    const on = bench(MemoryStorage.create());
    on.ask(add(again, "a", 5), add(again, "a", 6));
    expect(on.run().map(answer)).toEqual([5, 11]);
    on.ask(add(again, "a", 6), add(again, "a", 5));
    expect(on.run().map(answer)).toEqual([11, 16]);
  });

  it("records what no request asked for, and forgets it; what is not there stays so", () => {
    const storage = MemoryStorage.create();
    const on = new TaskBench({
      storage,
      apply: (turn, message) => {
        if (message[0] === 1) turn.recordOperation(id, 99, Uint8Array.of(5));
        else turn.forgetOperation(id);
        return undefined;
      },
    });
    const tell = (what: number): boolean => {
      on.ask((body) => {
        writeRequest(body, operation.program, 0, noBytes, Uint8Array.of(what));
      });
      return on.commit(on.step()).hasFrame;
    };
    const rows = () => storage.page(systemTable.operations, {}, 10);
    expect([tell(2), rows()]).toEqual([false, []]);
    expect(tell(1)).toBe(true);
    const [row] = rows();
    expect(row && decodeRecord(row.value)).toMatchObject({ digest: 99, reads: noBytes });
    expect(row && decodeRecord(row.value).reply.bytes).toEqual(Uint8Array.of(5));
    expect([tell(2), rows()]).toEqual([true, []]);
  });
});

describe("call records — which call a request is", () => {
  it("tells a program's messages apart by what they carry, unless they have a name", () => {
    const digest = (key: string, argument: string, kind: number = operation.program): number => {
      return callDigest({ kind, table: 0, key: Buffer.from(key), argument: Buffer.from(argument) });
    };
    expect(digest("", "a")).not.toBe(digest("", "b"));
    expect(digest("name", "a")).toBe(digest("name", "b"));
    expect(digest("name", "a")).not.toBe(digest("other", "a"));
    expect(digest("k", "a", operation.put)).not.toBe(digest("k", "b", operation.put));
    for (const kind of [operation.replace, operation.note]) {
      expect(digest("k", "a", kind)).toBe(digest("k", "b", kind));
    }
  });
});
