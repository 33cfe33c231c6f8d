// Bugs here would look like a message that is sent before it is durable, lost in a crash, sent out
// of order, or a row that stays for ever.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { limits } from "../../../base/limits.js";
import { Outbox } from "../../../runtime/outbox.js";
import { checkStreamRows, messageKey, streamRecord } from "../../../runtime/stream-rows.js";
import { systemTable } from "../../../runtime/system-table.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import type { RecordWrite } from "../../../store/storage.js";
import { check } from "../../support/property.js";
import { bytes, text } from "../../support/storage-bytes.js";

interface Sent {
  readonly destination: number;
  readonly sequence: number;
  readonly message: string;
}

class Bench {
  storage: MemoryStorage = MemoryStorage.create();
  outbox: Outbox = new Outbox(0, this.storage, 1);

  stage(destination: number, ...messages: readonly string[]): void {
    for (const message of messages) this.outbox.stage(destination, bytes(message));
  }

  commit(): void {
    this.#publish(this.outbox.writes(this.#versions()));
    this.outbox.committed();
  }

  /** As a start does when destination 1 knows more. */
  goOn(next: number): void {
    this.#publish([this.outbox.goOn(1, next, this.#versions())]);
  }

  #versions(): () => number {
    let version = this.storage.versionLast;
    return () => {
      version += 1;
      return version;
    };
  }

  #publish(writes: readonly RecordWrite[]): void {
    if (writes.length === 0) return;
    this.storage.append(writes);
    this.storage.sync();
    this.storage.publish();
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

  /** Destination 1 has applied that much; `durable` of it, all in mode `durable`. */
  acknowledge(applied: number, resend = false, durable = applied): void {
    this.outbox.acknowledge(1, { applied, durable, resend });
  }

  crash(): void {
    this.storage = this.storage.crash();
    this.outbox = new Outbox(0, this.storage, 1);
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
    bench.acknowledge(2, false);
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
    bench.acknowledge(10, false);
    const second = bench.pump();
    expect(second).toHaveLength(10);
    bench.acknowledge(window + 10, false);
    const third = bench.pump();
    bench.acknowledge(window * 2 + 10, false);
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
    expect(greetings).toEqual([[1]]);
    bench.acknowledge(1, false);
    expect(bench.pump()).toEqual([sent(1, 2, "b"), sent(1, 3, "c"), sent(1, 4, "d")]);
  });

  it("sends again from a gap when it is asked to", () => {
    const bench = new Bench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.pump();
    bench.acknowledge(0, true);
    expect(bench.pump()).toEqual([sent(1, 1, "a"), sent(1, 2, "b")]);
  });
});

describe("outbox — a destination that has not made durable what it has applied (Q1)", () => {
  it("moves the window with what is applied, and trims what is durable", () => {
    const bench = new Bench();
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
    const bench = new Bench();
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
    const bench = new Bench();
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
    const bench = new Bench();
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
  const remove = (bench: Bench, sequence: number): void => {
    const key = messageKey(1, 1, sequence);
    const version = bench.storage.versionLast + 1;
    bench.storage.append([streamRecord(systemTable.outbox, key, undefined, false, version)]);
    bench.storage.sync();
    bench.storage.publish();
  };
  const staged = (count: number): Bench => {
    const bench = new Bench();
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
    const bench = new Bench();
    bench.stage(1, "a");
    bench.commit();
    const diverged = expect.objectContaining({
      code: "STREAM_DIVERGED",
      details: { source: 0, destination: 1, applied: 2, acknowledged: 0, next: 2 },
    });
    expect(() => bench.acknowledge(2, false)).toThrow(diverged);
  });

  it("refuses a destination that knows less than it has acknowledged", () => {
    const bench = new Bench();
    bench.stage(1, "a", "b");
    bench.commit();
    bench.acknowledge(2, false);
    const diverged = expect.objectContaining({ code: "STREAM_DIVERGED" });
    expect(() => bench.acknowledge(1, false)).toThrow(diverged);
  });

  it("refuses one that has lost what was trimmed, after a crash as well", () => {
    const bench = new Bench();
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
        bench.acknowledge(applied.length, false);
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
