// Bugs here would look like a message that is sent before it is durable, lost in a crash, sent out
// of order, or a row that stays for ever.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { streamWindow } from "../../../runtime/outbox.js";
import { checkStreamRows, messageKey, streamRecord } from "../../../runtime/stream-rows.js";
import { systemTable } from "../../../runtime/system-table.js";
import { bytesOfValue, recordBytes } from "../../../store/record.js";
import { OutboxBench, sent } from "../../support/outbox-bench.js";
import { check } from "../../support/property.js";

describe("outbox — sending (Q1, Q2)", () => {
  it("sends nothing of a frame before it is durable", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a");
    expect([bench.outbox.sendable, bench.pump()]).toEqual([false, []]);
    bench.commit();
    expect(bench.pump()).toEqual([sent(1, 1, "a")]);
    expect(bench.pump()).toEqual([]);
  });

  it("numbers each stream densely from 1", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a");
    bench.stage(2, "b");
    bench.stage(1, "c");
    bench.commit();
    const all = bench.pump();
    expect(all.filter(({ destination }) => destination === 1)).toEqual([
      sent(1, 1, "a"),
      sent(1, 2, "c"),
    ]);
    expect(all.filter(({ destination }) => destination === 2)).toEqual([sent(2, 1, "b")]);
  });

  it("counts what is staged as a frame has it, and nothing that is taken back", () => {
    const bench = new OutboxBench();
    const { outbox } = bench;
    bench.stage(1, "");
    const mark = outbox.mark();
    bench.stage(1, "a", "b".repeat(100));
    const records = outbox.writes(() => 1).filter(({ table }) => table === systemTable.outbox);
    const bytes = records.map(({ key, value }) => recordBytes(key.length, bytesOfValue(value)));
    expect(outbox.stagedBytes).toBe(bytes.reduce((sum, each) => sum + each, 0));
    outbox.rollback(mark);
    expect(outbox.stagedBytes).toBe(bytes[0]);
    bench.commit();
    expect(outbox.stagedBytes).toBe(0);
  });

  it("takes a message back with its number", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a");
    const mark = bench.outbox.mark();
    bench.stage(1, "b", "c");
    bench.stage(2, "d");
    bench.outbox.rollback(mark);
    bench.stage(1, "e");
    bench.commit();
    expect(bench.pump()).toEqual([sent(1, 1, "a"), sent(1, 2, "e")]);
    expect(bench.outbox.unacknowledged).toBe(2);
  });

  it("has the rows of what is not acknowledged, and trims the rest with a later frame (Q1)", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b", "c");
    bench.commit();
    expect([bench.rows, bench.outbox.unacknowledged]).toEqual([3, 3]);
    bench.acknowledge(2, false);
    expect([bench.outbox.changed, bench.rows]).toEqual([false, 3]);
    bench.stage(1, "d");
    bench.commit();
    expect([bench.rows, bench.outbox.unacknowledged]).toEqual([2, 2]);
  });
});

describe("outbox — a destination that starts again", () => {
  it("sends nothing until the destination has said what it knows, then all that it lacks", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b", "c");
    bench.commit();
    bench.pump();
    bench.outbox.greet(1);
    bench.stage(1, "d");
    bench.commit();
    expect(bench.pump()).toEqual([]);
    const greetings: unknown[] = [];
    bench.outbox.greetings((...greeting) => greetings.push(greeting));
    expect(greetings).toEqual([[1]]);
    bench.acknowledge(1, false);
    expect(bench.pump()).toEqual([sent(1, 2, "b"), sent(1, 3, "c"), sent(1, 4, "d")]);
  });

  it("sends again from a gap when it is asked to", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.pump();
    bench.acknowledge(0, true);
    expect(bench.pump()).toEqual([sent(1, 1, "a"), sent(1, 2, "b")]);
  });
});

describe("outbox — a destination that has not made durable what it has applied (Q1)", () => {
  it("moves the window with what is applied, and trims what is durable", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b", "c");
    bench.commit();
    bench.pump();
    bench.acknowledge(3, false, 1);
    expect(bench.outbox.unacknowledged).toBe(0);
    bench.stage(1, "d");
    bench.commit();
    expect(bench.rows).toBe(3);
    bench.acknowledge(4, false, 4);
    bench.stage(1, "e");
    bench.commit();
    expect(bench.rows).toBe(1);
  });

  it("sends again what the destination has lost in a power cut", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b", "c");
    bench.commit();
    bench.pump();
    bench.acknowledge(3, false, 1);
    bench.stage(1, "d");
    bench.commit();
    bench.crash();
    bench.acknowledge(1);
    expect(bench.pump()).toEqual([sent(1, 2, "b"), sent(1, 3, "c"), sent(1, 4, "d")]);
  });
});

describe("outbox — a destination that knows what a power cut took from the source", () => {
  it("goes on behind it, over the next crash as well, and leaves no row for ever", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.crash();
    bench.goOn(6);
    expect([bench.outbox.continued, bench.outbox.unacknowledged]).toEqual([1, 0]);
    bench.crash();
    checkStreamRows(0, bench.storage, 1, true);
    bench.acknowledge(5);
    bench.stage(1, "f");
    bench.commit();
    expect(bench.pump()).toEqual([sent(1, 6, "f")]);
    expect(bench.rows).toBe(1);
  });

  it("goes on a stream that is gone altogether", () => {
    const bench = new OutboxBench();
    bench.goOn(4);
    bench.acknowledge(3);
    bench.stage(1, "d");
    bench.commit();
    expect(bench.pump()).toEqual([sent(1, 4, "d")]);
    bench.crash();
    checkStreamRows(0, bench.storage, 1, true);
  });
});

describe("outbox — rows that must be there (X1, X2)", () => {
  const remove = (bench: OutboxBench, sequence: number): void => {
    const key = messageKey(1, 1, sequence);
    const version = bench.storage.versionLast + 1;
    bench.storage.append([streamRecord(systemTable.outbox, key, undefined, false, version)]);
    bench.storage.sync();
    bench.storage.publish();
  };
  const staged = (count: number): OutboxBench => {
    const bench = new OutboxBench();
    bench.stage(1, ...Array.from({ length: count }, (_, index) => `m${index}`));
    bench.commit();
    return bench;
  };

  it("names the one that is missing, wherever it is, after a stop that was not orderly", () => {
    const first = 3;
    for (let sequence = first; sequence <= 50; sequence += 1) {
      const bench = staged(50);
      bench.acknowledge(first - 1);
      bench.stage(2, "other");
      bench.commit();
      expect(() => checkStreamRows(0, bench.storage, 1, true)).not.toThrow();
      remove(bench, sequence);
      expect(() => checkStreamRows(0, bench.storage, 1, true)).toThrow(
        expect.objectContaining({
          code: "STORE_CORRUPT",
          message: expect.stringContaining(`outbox row 0->1:${sequence} is missing`),
        }),
      );
    }
  });

  it("looks at the first, the last and some of them after an orderly one", () => {
    for (const sequence of [1, 50]) {
      const bench = staged(50);
      remove(bench, sequence);
      expect(() => checkStreamRows(0, bench.storage, 1, false)).toThrow(`0->1:${sequence}`);
    }
    const few = staged(limits.outboxSampleRows);
    remove(few, 7);
    expect(() => checkStreamRows(0, few.storage, 1, false)).toThrow("0->1:7");
    const one = staged(1);
    expect(() => checkStreamRows(0, one.storage, 1, false)).not.toThrow();
    remove(one, 1);
    expect(() => checkStreamRows(0, one.storage, 1, false)).toThrow("0->1:1");
  });

  it("refuses rows of another epoch, older or newer", () => {
    const bench = staged(2);
    for (const epoch of [0, 2]) {
      expect(() => checkStreamRows(0, bench.storage, epoch, false)).toThrow(
        expect.objectContaining({
          code: "STORE_CORRUPT",
          message: expect.stringContaining(`epoch 1, the directory is of ${epoch}`),
        }),
      );
    }
  });
});

describe("outbox — divergent history (Q3)", () => {
  it("refuses a destination that knows more than was ever sent", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a");
    bench.commit();
    const diverged = expect.objectContaining({
      code: "STREAM_DIVERGED",
      details: { source: 0, destination: 1, applied: 2, acknowledged: 0, next: 2 },
    });
    expect(() => bench.acknowledge(2, false)).toThrow(diverged);
  });

  it("refuses a destination that knows less than it has acknowledged", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.acknowledge(2, false);
    const diverged = expect.objectContaining({ code: "STREAM_DIVERGED" });
    expect(() => bench.acknowledge(1, false)).toThrow(diverged);
  });

  it("refuses one that has lost what was trimmed, after a crash as well", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.acknowledge(2, false);
    bench.stage(1, "c");
    bench.commit();
    bench.crash();
    const diverged = expect.objectContaining({ code: "STREAM_DIVERGED" });
    expect(() => bench.acknowledge(1, false)).toThrow(diverged);
  });
});

describe("outbox — any history", () => {
  it("delivers every durable message once and in order, whatever crashes and is lost", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ stage: fc.integer({ min: 1, max: 3 }) }) },
      { weight: 3, arbitrary: fc.constant("commit" as const) },
      { weight: 3, arbitrary: fc.constant("deliver" as const) },
      { weight: 1, arbitrary: fc.constant("lose" as const) },
      { weight: 1, arbitrary: fc.constant("crash" as const) },
    );
    const windows = fc.constantFrom(
      streamWindow,
      { messages: 2, bytes: 1 << 24 },
      { messages: 9, bytes: 8 },
    );
    const property = fc.property(fc.array(step, { maxLength: 60 }), windows, (steps, window) => {
      const bench = new OutboxBench(window);
      const applied: string[] = [];
      let durable: string[] = [];
      let staged: string[] = [];
      let name = 0;
      const deliver = (): void => {
        do {
          for (const { sequence, message } of bench.pump()) {
            if (sequence === applied.length + 1) applied.push(message);
            else expect(sequence).toBeLessThanOrEqual(applied.length);
          }
          bench.acknowledge(applied.length, false);
        } while (bench.outbox.sendable);
      };
      for (const each of [...steps, "commit" as const, "deliver" as const, "deliver" as const]) {
        if (each === "commit") {
          bench.commit();
          durable = [...durable, ...staged];
          staged = [];
        } else if (each === "deliver") deliver();
        else if (each === "lose") {
          bench.pump();
          bench.acknowledge(applied.length, true);
        } else if (each === "crash") {
          bench.crash();
          staged = [];
        } else {
          for (let count = 0; count < each.stage; count += 1) {
            name += 1;
            staged.push(`m${name}`);
            bench.stage(1, `m${name}`);
          }
        }
        expect(applied).toEqual(durable.slice(0, applied.length));
      }
      expect(applied).toEqual(durable);
      bench.stage(1, "last");
      bench.commit();
      expect(bench.rows).toBe(1);
    });
    await check(property, { runs: 300 });
  });
});

describe("outbox — greetings", () => {
  it("go to the destinations that were started again, until these have answered", () => {
    const bench = new OutboxBench();
    bench.stage(1, "a");
    bench.stage(2, "b");
    bench.commit();
    const greeted = (): number[] => {
      const destinations: number[] = [];
      bench.outbox.greetings((destination) => destinations.push(destination));
      return destinations;
    };
    expect(greeted()).toEqual([]);
    bench.outbox.greet(1);
    bench.outbox.greet(9);
    expect([greeted(), greeted()]).toEqual([[1], [1]]);
    bench.acknowledge(0);
    expect(greeted()).toEqual([]);
  });
});
