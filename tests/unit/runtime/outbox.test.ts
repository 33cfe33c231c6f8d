// Bugs here would look like a message that is sent before it is durable, lost in a crash, sent out
// of order, or a row that stays for ever.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { limits } from "../../../base/limits.js";
import { Outbox } from "../../../runtime/outbox.js";
import { systemTable } from "../../../runtime/system-table.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { check } from "../../support/property.js";
import { bytes, text } from "../../support/storage-bytes.js";

interface Sent {
  readonly destination: number;
  readonly sequence: number;
  readonly message: string;
}

class Bench {
  storage: MemoryStorage = MemoryStorage.create();
  outbox: Outbox = new Outbox(0, this.storage);

  stage(destination: number, ...messages: readonly string[]): void {
    for (const message of messages) this.outbox.stage(destination, bytes(message));
  }

  commit(): void {
    let version = this.storage.versionLast;
    const writes = this.outbox.writes(() => {
      version += 1;
      return version;
    });
    if (writes.length > 0) {
      this.storage.append(writes);
      this.storage.sync();
      this.storage.publish();
    }
    this.outbox.committed();
  }

  /** Everything that may be sent now. */
  pump(): readonly Sent[] {
    const sent: Sent[] = [];
    while (this.outbox.sendable) {
      this.outbox.pump((destination, first, body) => {
        const reader = new ByteReader(body);
        for (let sequence = first; !reader.done; sequence += 1) {
          sent.push({ destination, sequence, message: text(reader.lengthPrefixed()) });
        }
      });
    }
    return sent;
  }

  crash(): void {
    this.storage = this.storage.crash();
    this.outbox = new Outbox(0, this.storage);
  }

  get rows(): number {
    return this.storage.page(systemTable.outbox, {}, 100_000).length;
  }
}

const sent = (destination: number, sequence: number, message: string): Sent => {
  return { destination, sequence, message };
};

describe("outbox — sending (Q1, Q2)", () => {
  it("sends nothing of a frame before it is durable", () => {
    const bench = new Bench();
    bench.stage(1, "a");
    expect([bench.outbox.sendable, bench.pump()]).toEqual([false, []]);
    bench.commit();
    expect(bench.pump()).toEqual([sent(1, 1, "a")]);
    expect(bench.pump()).toEqual([]);
  });

  it("numbers each stream densely from 1", () => {
    const bench = new Bench();
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

  it("takes a message back with its number", () => {
    const bench = new Bench();
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
    const bench = new Bench();
    bench.stage(1, "a", "b", "c");
    bench.commit();
    expect([bench.rows, bench.outbox.unacknowledged]).toEqual([3, 3]);
    bench.outbox.acknowledge(1, 2, false);
    expect([bench.outbox.changed, bench.rows]).toEqual([false, 3]);
    bench.stage(1, "d");
    bench.commit();
    expect([bench.rows, bench.outbox.unacknowledged]).toEqual([2, 2]);
  });
});

describe("outbox — the window (Q4)", () => {
  it("has at most so many messages on the way, and goes on from the rows", () => {
    const bench = new Bench();
    const { streamWindowMessages: window } = limits;
    const count = window * 2 + 10;
    const names = Array.from({ length: count }, (_, index) => `m${index}`);
    bench.stage(1, ...names);
    bench.commit();
    const first = bench.pump();
    expect(first).toHaveLength(window);
    bench.outbox.acknowledge(1, 10, false);
    const second = bench.pump();
    expect(second).toHaveLength(10);
    bench.outbox.acknowledge(1, window + 10, false);
    const third = bench.pump();
    bench.outbox.acknowledge(1, window * 2 + 10, false);
    expect([...first, ...second, ...third].map(({ message }) => message)).toEqual(names);
  });
});

describe("outbox — a destination that starts again", () => {
  it("sends nothing until the destination has said what it knows, then all that it lacks", () => {
    const bench = new Bench();
    bench.stage(1, "a", "b", "c");
    bench.commit();
    bench.pump();
    bench.outbox.greet(1);
    bench.stage(1, "d");
    bench.commit();
    expect(bench.pump()).toEqual([]);
    const greetings: unknown[] = [];
    bench.outbox.greetings((...greeting) => greetings.push(greeting));
    expect(greetings).toEqual([[1, 5, 0]]);
    bench.outbox.acknowledge(1, 1, false);
    expect(bench.pump()).toEqual([sent(1, 2, "b"), sent(1, 3, "c"), sent(1, 4, "d")]);
  });

  it("sends again from a gap when it is asked to", () => {
    const bench = new Bench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.pump();
    bench.outbox.acknowledge(1, 0, true);
    expect(bench.pump()).toEqual([sent(1, 1, "a"), sent(1, 2, "b")]);
  });
});

describe("outbox — divergent history (Q3)", () => {
  it("refuses a destination that knows more than was ever sent", () => {
    const bench = new Bench();
    bench.stage(1, "a");
    bench.commit();
    const diverged = expect.objectContaining({
      code: "STREAM_DIVERGED",
      details: { source: 0, destination: 1, applied: 2, acknowledged: 0, next: 2 },
    });
    expect(() => bench.outbox.acknowledge(1, 2, false)).toThrow(diverged);
  });

  it("refuses a destination that knows less than it has acknowledged", () => {
    const bench = new Bench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.outbox.acknowledge(1, 2, false);
    const diverged = expect.objectContaining({ code: "STREAM_DIVERGED" });
    expect(() => bench.outbox.acknowledge(1, 1, false)).toThrow(diverged);
  });

  it("refuses one that has lost what was trimmed, after a crash as well", () => {
    const bench = new Bench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.outbox.acknowledge(1, 2, false);
    bench.stage(1, "c");
    bench.commit();
    bench.crash();
    const diverged = expect.objectContaining({ code: "STREAM_DIVERGED" });
    expect(() => bench.outbox.acknowledge(1, 1, false)).toThrow(diverged);
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
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bench = new Bench();
      const applied: string[] = [];
      let durable: string[] = [];
      let staged: string[] = [];
      let name = 0;
      const deliver = (): void => {
        for (const { sequence, message } of bench.pump()) {
          if (sequence === applied.length + 1) applied.push(message);
          else expect(sequence).toBeLessThanOrEqual(applied.length);
        }
        bench.outbox.acknowledge(1, applied.length, false);
      };
      for (const each of [...steps, "commit" as const, "deliver" as const, "deliver" as const]) {
        if (each === "commit") {
          bench.commit();
          durable = [...durable, ...staged];
          staged = [];
        } else if (each === "deliver") deliver();
        else if (each === "lose") {
          bench.pump();
          bench.outbox.acknowledge(1, applied.length, true);
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
