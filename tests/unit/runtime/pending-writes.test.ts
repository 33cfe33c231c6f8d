// Bugs here would look like a read that does not see its own thread's write before it, since none
// was counted, or like one that goes to its task for ever, since one was never taken off.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Operation, operation } from "../../../runtime/lane-encoding.js";
import { PendingWrites } from "../../../runtime/pending-writes.js";
import { check } from "../../support/property.js";

const { get, page, barrier, program, recall, note, clear, put, replace, update } = operation;
const writesOfAKey = [put, operation.delete, update, replace];
const anyHash = fc.integer({ min: 0, max: 0xffff_ffff });

describe("pending writes — what counts", () => {
  it.each(writesOfAKey)("counts operation %i for its key until it is over", (kind) => {
    const writes = new PendingWrites();
    for (const keyHash of [0, 7, 4_095, 0xffff_ffff]) {
      writes.count(kind, keyHash, 1);
      writes.count(kind, keyHash, 1);
      expect([writes.of(keyHash), writes.of(keyHash ^ 1), writes.total]).toEqual([2, 0, 2]);
      writes.count(kind, keyHash, -1);
      expect([writes.of(keyHash), writes.total]).toEqual([1, 1]);
      writes.count(kind, keyHash, -1);
      expect([writes.of(keyHash), writes.total]).toEqual([0, 0]);
    }
  });

  it("counts a clear for every key, beside the writes of a key", () => {
    const writes = new PendingWrites();
    writes.count(put, 7, 1);
    writes.count(clear, 0, 1);
    expect([writes.of(7), writes.of(8), writes.of(0xffff_ffff), writes.total]).toEqual([
      2, 1, 1, 2,
    ]);
    writes.count(clear, 0, -1);
    expect([writes.of(7), writes.of(8), writes.total]).toEqual([1, 0, 1]);
  });

  it("counts nothing of what writes no row of a store", () => {
    const writes = new PendingWrites();
    for (const kind of [get, page, barrier, program, recall, note]) {
      writes.count(kind, 7, 1);
      expect([writes.of(7), writes.total]).toEqual([0, 0]);
      writes.count(kind, 7, -1);
    }
    expect([writes.of(7), writes.total]).toEqual([0, 0]);
  });
});

describe("pending writes — any requests on the way (L4)", () => {
  it("is never below what is on the way to a key, and nothing where nothing is", async () => {
    const kind = fc.constantFrom<Operation>(...writesOfAKey, clear, get, program, note);
    // Some that share a bucket, and the ends of the range.
    const hash = fc.oneof(fc.constantFrom(0, 4_096, 8_192, 4_095, 8_191, 0xffff_ffff), anyHash);
    const step = fc.record({ kind, hash, ends: fc.nat(9) });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const writes = new PendingWrites();
      const onTheWay: { readonly kind: Operation; readonly hash: number }[] = [];
      const isWrite = ({ kind }: { kind: Operation }): boolean => {
        return kind === clear || writesOfAKey.some((write) => write === kind);
      };
      const judge = (asked: number): void => {
        const written = onTheWay.filter(isWrite);
        const own = written.filter(({ kind, hash }) => kind === clear || hash === asked).length;
        const isAny = written.some(({ kind, hash }) => {
          return kind === clear || hash % 4_096 === asked % 4_096;
        });
        expect(writes.of(asked)).toBeGreaterThanOrEqual(own);
        expect(writes.of(asked) > 0).toBe(isAny);
        expect(writes.total).toBe(written.length);
      };
      for (const { kind, hash, ends } of steps) {
        writes.count(kind, hash, 1);
        onTheWay.push({ kind, hash });
        judge(hash);
        for (let left = ends > 6 ? 2 : 0; left > 0; left -= 1) {
          // Replies come in the order of requests: the oldest ends first.
          const over = onTheWay.shift();
          if (over === undefined) break;
          writes.count(over.kind, over.hash, -1);
          judge(over.hash);
        }
      }
      for (const { kind, hash } of onTheWay.splice(0)) writes.count(kind, hash, -1);
      for (const { hash } of steps) judge(hash);
    });
    await check(property, { runs: 300 });
  });
});
