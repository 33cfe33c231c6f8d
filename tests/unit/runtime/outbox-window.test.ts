// Bugs here would look like messages that pile up in memory behind a slow task, or streams that
// wait for each other for ever.
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import type { StreamWindow } from "../../../runtime/outbox.js";
import { OutboxBench, type Sent, sent } from "../../support/outbox-bench.js";

describe("outbox — the window (Q4)", () => {
  it("has at most so many messages on the way, and goes on from the rows", () => {
    const bench = new OutboxBench();
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

describe("outbox — the window in bytes (Q4, Q5)", () => {
  /** Each message takes ten bytes, with its length. */
  const numbered = (count: number): readonly string[] => {
    return Array.from({ length: count }, (_, index) => `m${String(index).padStart(5, "0")}`);
  };
  const window = (bytesMax: number): StreamWindow => ({ messages: 4_096, bytes: bytesMax });

  it("has so many bytes on the way, over all streams, and goes on as they arrive", () => {
    const bench = new OutboxBench(window(60));
    bench.stage(1, ...numbered(20));
    bench.commit();
    expect(bench.pump()).toHaveLength(6);
    expect(bench.outbox.sendable).toBe(false);
    bench.acknowledge(5);
    expect(bench.pump()).toEqual([]);
    bench.acknowledge(6);
    expect(bench.pump().map(({ sequence }) => sequence)).toEqual([7, 8, 9, 10, 11, 12]);
  });

  it("sends one section of every other stream while one takes all the room", () => {
    const bench = new OutboxBench(window(60));
    bench.stage(1, ...numbered(20));
    bench.commit();
    expect(bench.pump()).toHaveLength(6);
    bench.stage(2, ...numbered(20));
    bench.stage(3, ...numbered(2));
    bench.commit();
    const others = bench.pump().map(({ destination }) => destination);
    expect(others).toEqual([2, 2, 2, 2, 2, 2, 3, 3]);
    bench.acknowledgeBy(3, 2);
    expect(bench.pump()).toEqual([]);
    bench.acknowledgeBy(2, 6);
    expect(bench.pump().map(({ destination }) => destination)).toEqual([2, 2, 2, 2, 2, 2]);
  });

  it("sends a message that is larger than the window, alone", () => {
    const bench = new OutboxBench(window(1));
    bench.stage(1, "a large one", "another");
    bench.commit();
    expect(bench.pump()).toEqual([sent(1, 1, "a large one")]);
    bench.acknowledge(1);
    expect(bench.pump()).toEqual([sent(1, 2, "another")]);
  });

  it("counts nothing that a dead destination did not get, or that is sent again", () => {
    // Larger than a section: three of them fit the window.
    const bench = new OutboxBench(window(limits.streamSectionBytesMax * 3));
    bench.stage(1, ...new Array<string>(9).fill("m".repeat(limits.streamSectionBytesMax)));
    bench.commit();
    const pumped = (): readonly number[] => bench.pump().map(({ sequence }) => sequence);
    expect(pumped()).toEqual([1, 2, 3]);
    bench.outbox.greet(1);
    bench.acknowledge(1);
    expect(pumped()).toEqual([2, 3, 4]);
    bench.acknowledge(2, true);
    expect(pumped()).toEqual([3, 4, 5]);
    bench.acknowledge(4);
    expect(pumped()).toEqual([6, 7]);
  });

  it("keeps so many bytes to be sent next, and reads the rest back from its rows", () => {
    const bench = new OutboxBench(window(60));
    let readBack = 0;
    const { storage } = bench;
    const get = storage.get.bind(storage);
    storage.get = (...asked) => {
      readBack += 1;
      return get(...asked);
    };
    bench.stage(1, ...numbered(40));
    bench.commit();
    const all: Sent[] = [];
    for (let applied = 6; applied <= 42; applied += 6) {
      all.push(...bench.pump());
      bench.acknowledge(Math.min(applied, all.length));
    }
    expect(all.map(({ message }) => message)).toEqual(numbered(40));
    // Without their lengths, messages take six bytes: ten of them are kept.
    expect(readBack).toBe(30);
    bench.stage(1, ...numbered(6));
    bench.commit();
    expect(bench.pump()).toHaveLength(6);
    expect(readBack).toBe(30);
  });
});
