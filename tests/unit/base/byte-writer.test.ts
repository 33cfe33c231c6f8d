// Every field the writer has, read back by the reader; and what each of them refuses.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { ByteWriter } from "../../../base/byte-writer.js";
import { InvariantViolation } from "../../../base/invariant.js";
import { check } from "../../support/property.js";

const field = fc.oneof(
  fc.record({ kind: fc.constant("u8" as const), value: fc.integer({ min: 0, max: 0xff }) }),
  fc.record({ kind: fc.constant("u16" as const), value: fc.integer({ min: 0, max: 0xffff }) }),
  fc.record({ kind: fc.constant("u32" as const), value: fc.integer({ min: 0, max: 0xffffffff }) }),
  fc.record({ kind: fc.constant("uint64" as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 600 }) }),
);

describe("byte writer and reader — together", () => {
  it("gives back every field in order, whatever the writer grew through", async () => {
    await check(
      fc.property(
        fc.array(field, { maxLength: 60 }),
        fc.integer({ min: 1, max: 64 }),
        (fields, capacity) => {
          const writer = new ByteWriter(capacity);
          for (const one of fields) {
            if (one.kind === "bytes") writer.lengthPrefixed(one.value);
            else writer[one.kind](one.value);
          }
          const reader = new ByteReader(writer.finish());
          for (const one of fields) {
            if (one.kind === "bytes") expect(reader.lengthPrefixed()).toEqual(one.value);
            else expect(reader[one.kind]()).toBe(one.value);
          }
          expect(reader.done).toBe(true);
          expect(reader.offset).toBe(writer.length);
        },
      ),
      { runs: 500 },
    );
  });
});

describe("byte writer — the buffer", () => {
  it("appends a part of other bytes, few or many, and grows for it", async () => {
    const part = fc.tuple(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100));
    const property = fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
      const writer = new ByteWriter(1);
      const expected: number[] = [];
      for (const [bytes, one, other] of parts) {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const [start, end] = [Math.min(from, bytes.length), Math.min(to, bytes.length)];
        writer.slice(bytes, start, end);
        expected.push(...bytes.subarray(start, end));
      }
      expect([...writer.finish()]).toEqual(expected);
    });
    await check(property, { runs: 200 });
  });

  it("appends an ASCII text, and nothing of any other", () => {
    const writer = new ByteWriter(2);
    expect([writer.ascii("ab\u007f"), writer.ascii("cd\u0080"), writer.ascii("")]).toEqual([
      true,
      false,
      true,
    ]);
    expect([...writer.finish()]).toEqual([0x61, 0x62, 0x7f]);
    expect(writer.buffer.subarray(0, writer.length)).toEqual(writer.view());
  });

  it("writes numbers with the low byte first", () => {
    const writer = new ByteWriter();
    writer.u16(0x0102);
    writer.u32(0x03040506);
    writer.uint64(0x01_0000_0002);
    expect([...writer.finish()]).toEqual([2, 1, 6, 5, 4, 3, 2, 0, 0, 0, 1, 0, 0, 0]);
  });

  it("patches a length that is known only later", () => {
    const writer = new ByteWriter();
    writer.u8(9);
    writer.u32(0);
    writer.bytes(Uint8Array.of(1, 2, 3));
    writer.patchU32(1, writer.length - 5);
    expect([...writer.view()]).toEqual([9, 3, 0, 0, 0, 1, 2, 3]);
    expect(() => writer.patchU32(5, 1)).toThrow(InvariantViolation);
  });

  it("finishes with a copy of exactly its bytes, which later writes leave alone", () => {
    const writer = new ByteWriter(1_024);
    writer.u8(1);
    const finished = writer.finish();
    expect(finished.buffer.byteLength).toBe(1);
    writer.reset();
    writer.u8(2);
    expect([...finished]).toEqual([1]);
    expect([...writer.view()]).toEqual([2]);
  });

  it("shows a part of itself without a copy", () => {
    const writer = new ByteWriter();
    writer.bytes(Uint8Array.of(1, 2, 3, 4));
    const view = writer.view(1, 3);
    expect([...view]).toEqual([2, 3]);
    expect(view.buffer).toBe(writer.view().buffer);
    expect(() => writer.view(2, 5)).toThrow(InvariantViolation);
  });

  it("refuses numbers that are no unsigned safe integers", () => {
    const writer = new ByteWriter();
    for (const value of [-1, 1.5, 2 ** 53, Number.NaN]) {
      expect(() => writer.uint64(value)).toThrow(InvariantViolation);
    }
    expect(writer.length).toBe(0);
  });
});
