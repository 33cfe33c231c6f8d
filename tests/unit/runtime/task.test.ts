// Bugs here would look like a batch that loses or repeats a message, a throw that takes others with
// it, or a program that reaches into a frame that is already gone.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { operation } from "../../../runtime/lane-encoding.js";
import type { Turn } from "../../../runtime/task-program.js";
import { hashKey } from "../../../store/key-hash.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { check } from "../../support/property.js";
import { bytes, text } from "../../support/storage-bytes.js";
import { answer, keyOwnedBy, put, request, TaskBench } from "../../support/task-bench.js";

const updates = {
  push: (list: unknown, value: unknown) => [...(Array.isArray(list) ? list : []), value],
};
const programTable = 8;

const program = (message: string) => (body: Parameters<ReturnType<typeof request>>[0]) =>
  request(operation.program, "", bytes(message))(body);

describe("task — batches (A0)", () => {
  it("has one batch in hand: the next step comes after it is committed", () => {
    const bench = new TaskBench();
    bench.ask(put("a", 1));
    const batch = bench.step();
    expect(() => bench.task.step()).toThrow("one batch in hand");
    expect([bench.task.hasWork, bench.task.quiet]).toEqual([false, false]);
    bench.commit(batch);
    expect([bench.task.step(), bench.task.quiet]).toEqual([undefined, true]);
    expect(() => bench.task.committed(batch)).toThrow("another batch");
  });

  it("is bounded by count, and goes on in the middle of a section", () => {
    const bench = new TaskBench({ updates });
    const count = limits.batchMessagesMax + 5;
    // Of several keys: the lists of one alone would reach the bound of bytes before.
    const keyOf = (n: number): string => "abcd"[n % 4] ?? "";
    bench.ask(...Array.from({ length: count }, (_, n) => bench.update("push", keyOf(n), n)));
    expect(bench.commit(bench.step()).messages).toBe(limits.batchMessagesMax);
    expect(bench.commit(bench.step()).messages).toBe(5);
    for (const key of "abcd") {
      const pushed = Array.from({ length: count }, (_, n) => n).filter((n) => keyOf(n) === key);
      expect(bench.stored(key)).toEqual(pushed);
    }
  });

  it("is bounded by bytes", () => {
    const bench = new TaskBench({ batchBytesMax: 1_000 });
    bench.ask(...["a", "b", "c"].map((key) => put(key, "x".repeat(600))));
    expect(bench.commit(bench.step()).messages).toBe(2);
    expect(bench.commit(bench.step()).messages).toBe(1);
  });

  it("is bounded by the bytes of its replies, of which few rows can make many", () => {
    const bench = new TaskBench({ batchBytesMax: 1_000 });
    bench.ask(put("a", "x".repeat(600)));
    bench.commit(bench.step());
    bench.ask(...Array.from({ length: 5 }, () => request(operation.get, "a")));
    const messages = [1, 2, 3].map(() => bench.commit(bench.step()).messages);
    expect(messages).toEqual([2, 2, 1]);
  });

  it("is bounded by the bytes of the rows it reads, whatever becomes of them", () => {
    const storage = MemoryStorage.create();
    const before = new TaskBench({ storage });
    const keys = ["a", "b", "c", "d", "e"];
    before.ask(...keys.map((key) => put(key, "x".repeat(600))));
    before.commit(before.step());
    // Of a later start: none of them is in memory yet.
    const bench = new TaskBench({ storage, batchBytesMax: 1_000 });
    bench.ask(...keys.map((key) => request(operation.delete, key)));
    const messages = [1, 2, 3].map(() => bench.commit(bench.step()).messages);
    expect(messages).toEqual([2, 2, 1]);
  });

  it("is bounded by time", () => {
    const bench = new TaskBench({
      apply: () => {
        bench.system.elapsedMs += 1;
        return undefined;
      },
    });
    bench.ask(...Array.from({ length: 300 }, () => program("slow")));
    expect(bench.commit(bench.step()).messages).toBe(64);
  });

  it("has no frame when nothing changed, and still answers", () => {
    const bench = new TaskBench();
    bench.ask(request(operation.get, "a"), request(operation.barrier, ""));
    const batch = bench.commit(bench.step());
    expect([batch.hasFrame, bench.storage.batchLast, batch.messages]).toEqual([false, 0, 2]);
    expect(batch.replies.has(0)).toBe(true);
  });
});

describe("task — order (A1)", () => {
  it("applies what arrived section by section, and replies to each lane in its order", async () => {
    const section = fc.record({
      thread: fc.nat(2),
      keys: fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 }),
    });
    const property = fc.property(fc.array(section, { maxLength: 20 }), (sections) => {
      const bench = new TaskBench({ updates, batchBytesMax: 300 });
      const model: Record<string, number[]> = { a: [], b: [] };
      const expected: unknown[][] = [[], [], []];
      let number = 0;
      for (const { thread, keys } of sections) {
        const asked = keys.map((key) => {
          number += 1;
          model[key]?.push(number);
          expected[thread]?.push([...(model[key] ?? [])]);
          return bench.update("push", key, number);
        });
        bench.askFrom(thread, ...asked);
      }
      // The replies of a lane are taken from its batches; a run for one lane consumes them all.
      const lane = number % 3;
      expect(bench.run(lane).map(answer)).toEqual(expected[lane]);
      expect([bench.stored("a") ?? [], bench.stored("b") ?? []]).toEqual([model["a"], model["b"]]);
    });
    await check(property, { runs: 150 });
  });

  it("applies a stream's messages once and in order, and asks again for what is missing", () => {
    const applied: string[] = [];
    const bench = new TaskBench({
      taskCount: 3,
      apply: (_turn, message) => {
        applied.push(text(message));
        return undefined;
      },
    });
    const acks = (): unknown => {
      const batch = bench.commit(bench.step());
      return [...batch.acks].map(([source, resend]) => ({
        source,
        ...bench.task.ackOf(source, resend),
      }));
    };
    bench.stream(1, 1, bytes("a"), bytes("b"));
    expect(acks()).toEqual([{ source: 1, applied: 2, durable: 2, resend: false }]);
    bench.stream(1, 2, bytes("b"), bytes("c"));
    expect(acks()).toEqual([{ source: 1, applied: 3, durable: 3, resend: false }]);
    bench.stream(1, 5, bytes("e"));
    bench.stream(2, 1, bytes("other"));
    expect(acks()).toEqual([
      { source: 1, applied: 3, durable: 3, resend: true },
      { source: 2, applied: 1, durable: 1, resend: false },
    ]);
    bench.stream(1, 4, bytes("d"), bytes("e"));
    expect(acks()).toEqual([{ source: 1, applied: 5, durable: 5, resend: false }]);
    expect(applied).toEqual(["a", "b", "c", "other", "d", "e"]);
    expect(bench.task.stats().duplicates).toBe(1);
  });
});

describe("task — a gap before a full window (K4)", () => {
  /** Batches that ask the source, when each of the messages `from … to` is a batch of its own. */
  function asks(bench: TaskBench, from: number, to: number): number {
    let count = 0;
    for (let sequence = from; sequence <= to; sequence += 1) {
      bench.stream(1, sequence, bytes("m"));
      if (bench.commit(bench.step()).acks.get(1) === true) count += 1;
    }
    return count;
  }

  it("asks for it once, again behind progress, and when the source begins anew", () => {
    const bench = new TaskBench({ taskCount: 3, apply: () => undefined });
    expect(asks(bench, 2, 600)).toBe(1);
    expect(asks(bench, 1, 300)).toBe(0);
    expect(asks(bench, 302, 600)).toBe(1);
    bench.task.greetedBy(1);
    expect(asks(bench, 302, 600)).toBe(1);
    expect(asks(bench, 301, 600)).toBe(0);
    expect(bench.task.ackOf(1, false)).toEqual({ applied: 600, durable: 600, resend: false });
  });
});

describe("task — a throw (A2)", () => {
  const writeAndMaybeThrow = (turn: Turn, message: Uint8Array): Uint8Array | undefined => {
    const [kind = "", key = "k"] = text(message).split(":");
    turn.put(programTable, bytes(key), bytes(kind));
    turn.send(1, message);
    turn.send(0, bytes("own"));
    turn.notify(0, message);
    turn.afterCommit(() => {});
    if (kind === "own") return undefined;
    if (kind === "refuse") throw new PartitaError("CLOSED", { what: "a test" });
    if (kind === "bug") throw new TypeError("a bug");
    return bytes("done");
  };

  it("of a request leaves nothing of it, and the others go on", () => {
    const bench = new TaskBench({
      taskCount: 2,
      apply: (turn, message) => {
        if (text(message) === "own") return undefined;
        return writeAndMaybeThrow(turn, message);
      },
    });
    bench.ask(program("fine:a"), program("refuse:b"), program("refuse:a"), program("fine:c"));
    const batch = bench.step();
    expect([batch.actions.length, bench.task.outbox.unacknowledged]).toEqual([2, 2]);
    expect(batch.notices.get(0)?.length).toBe(2 * (4 + "fine:a".length));
    bench.commit(batch);
    const row = (key: string) =>
      bench.storage.get(programTable, bytes(key), hashKey(bytes(key)))?.value;
    expect([row("a"), row("b"), row("c")]).toEqual([bytes("fine"), undefined, bytes("fine")]);
    expect(bench.task.stats().refused).toBe(2);
  });

  it("of a message that the program sent to its own task takes all of the message back", () => {
    const bench = new TaskBench({
      taskCount: 2,
      apply: (turn, message) => {
        turn.put(programTable, message, message);
        if (text(message) === "first") turn.send(0, bytes("second"));
        else throw new PartitaError("CLOSED", { what: "a test" });
        return undefined;
      },
    });
    bench.ask(program("first"));
    expect(bench.run()).toMatchObject([{ error: { code: "CLOSED" } }]);
    expect(bench.storage.page(programTable, {}, 10)).toEqual([]);
  });

  it("that is no refusal is a bug and ends the thread, whoever asked", () => {
    const bench = new TaskBench({ taskCount: 2, apply: writeAndMaybeThrow });
    bench.ask(program("bug"));
    expect(() => bench.task.step()).toThrow("a bug");
  });

  it("of a stream's message ends the thread: there is nobody to tell", () => {
    const bench = new TaskBench({ taskCount: 2, apply: writeAndMaybeThrow });
    bench.stream(1, 1, bytes("refuse"));
    expect(() => bench.task.step()).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });
});

describe("task — whose key it is (A3)", () => {
  it("treats a key of another task as a broken invariant", () => {
    const bench = new TaskBench({ taskId: 1, taskCount: 2 });
    bench.ask(put(keyOwnedBy(1, 2), "mine"));
    bench.run();
    bench.ask(put(keyOwnedBy(0, 2), "not mine"));
    expect(() => bench.task.step()).toThrow("a key of task 0 reached task 1");
  });

  it("treats an operation and a table that nobody knows as broken invariants", () => {
    const bench = new TaskBench();
    bench.ask((body) => {
      body.u8(99);
      body.u16(16);
      body.u16(0);
      body.u32(0);
    });
    expect(() => bench.task.step()).toThrow("operation 99");
    const other = new TaskBench();
    other.ask((body) => {
      body.u8(operation.get);
      body.u16(17);
      body.u16(0);
      body.u32(0);
    });
    expect(() => other.task.step()).toThrow("knows no table 17");
  });
});

describe("turn — one message's view (G1, G3, G4)", () => {
  it("sees what the batch has written, and has its own messages applied in order after it", () => {
    const seen: unknown[] = [];
    const bench = new TaskBench({
      taskCount: 2,
      apply: (turn, message) => {
        const before = turn.get(programTable, bytes("k"));
        seen.push([turn.origin.kind, text(message), before === undefined ? "" : text(before)]);
        turn.put(programTable, bytes("k"), message);
        if (text(message) === "a") {
          turn.send(0, bytes("b"));
          turn.send(0, bytes("c"));
        }
        return undefined;
      },
    });
    bench.ask(program("a"), program("d"));
    const batch = bench.step();
    expect(seen).toEqual([
      ["lane", "a", ""],
      ["self", "b", "a"],
      ["self", "c", "b"],
      ["lane", "d", "c"],
    ]);
    expect(batch.records).toHaveLength(1);
  });

  it("is dead after the message was applied, and after it was refused", () => {
    const turns: Turn[] = [];
    const bench = new TaskBench({
      taskCount: 2,
      apply: (turn, message) => {
        turns.push(turn);
        if (text(message) === "refuse") throw new PartitaError("CLOSED", { what: "a test" });
        return undefined;
      },
    });
    bench.ask(program("fine"), program("refuse"));
    bench.step();
    expect(turns).toHaveLength(2);
    for (const turn of turns) {
      const key = bytes("k");
      for (const use of [
        () => turn.get(programTable, key),
        () => turn.put(programTable, key, key),
        () => turn.delete(programTable, key),
        () => turn.send(1, key),
        () => turn.notify(0, key),
        () => turn.lastly(() => {}),
        () => turn.afterCommit(() => {}),
      ]) {
        expect(use).toThrow("after its message had been applied");
      }
    }
  });

  it("does lastly what it is told to, in the frame of all messages, but for refused ones", () => {
    const order: string[] = [];
    const bench = new TaskBench({
      taskCount: 2,
      apply: (turn, message) => {
        const name = text(message);
        order.push(name);
        turn.lastly((last) => {
          order.push(`lastly ${name}`);
          last.put(programTable, message, bytes("done"));
          last.send(1, message);
        });
        if (name === "refuse") throw new PartitaError("CLOSED", { what: "a test" });
        return undefined;
      },
    });
    bench.ask(program("a"), program("refuse"), program("b"));
    const batch = bench.step();
    expect(order).toEqual(["a", "refuse", "b", "lastly a", "lastly b"]);
    expect(bench.task.outbox.unacknowledged).toBe(2);
    bench.commit(batch);
    const rows = bench.storage.page(programTable, {}, 10);
    expect(rows.map(({ key }) => text(key))).toEqual(["a", "b"]);
  });

  it("deletes rows, and leaves rows that are not there alone", () => {
    const bench = new TaskBench({
      taskCount: 2,
      apply: (turn, message) => {
        if (text(message) === "delete") turn.delete(programTable, bytes("k"));
        else turn.put(programTable, bytes("k"), message, true);
        return undefined;
      },
    });
    bench.ask(program("delete"));
    expect(bench.commit(bench.step()).hasFrame).toBe(false);
    bench.ask(program("put"), program("delete"));
    bench.run();
    expect(bench.storage.page(programTable, {}, 10)).toEqual([]);
  });
});
