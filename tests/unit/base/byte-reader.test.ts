import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { InvariantViolation } from "../../../base/invariant.js";

describe("byte reader — bounds", () => {
  it("fails on every read past the end and stays where it was", () => {
    const reads: ((reader: ByteReader) => unknown)[] = [
      (reader) => reader.u16(),
      (reader) => reader.u32(),
      (reader) => reader.uint64(),
      (reader) => reader.bytes(2),
      (reader) => reader.skip(2),
      (reader) => reader.skip(-1),
      (reader) => reader.skip(Number.NaN),
      (reader) => reader.lengthPrefixed(),
    ];
    for (const read of reads) {
      const reader = new ByteReader(Uint8Array.of(7));
      expect(() => read(reader)).toThrow(InvariantViolation);
      expect(reader.offset).toBe(0);
    }
    const empty = new ByteReader(new Uint8Array(0));
    expect(() => empty.u8()).toThrow("reading 1 bytes at 0 leaves the 0 bytes there are");
  });

  it("fails on a length prefix that lies", () => {
    const reader = new ByteReader(Uint8Array.of(200, 0, 0, 0, 1, 2));
    expect(() => reader.lengthPrefixed()).toThrow(InvariantViolation);
  });

  it("refuses eight bytes that are no safe integer", () => {
    const reader = new ByteReader(new Uint8Array(8).fill(0xff));
    expect(() => reader.uint64()).toThrow(InvariantViolation);
  });
});

describe("byte reader — views", () => {
  it("returns views of the bytes it was given, at their places", () => {
    const outer = Uint8Array.of(9, 1, 2, 3, 4, 9);
    const reader = new ByteReader(outer.subarray(1, 5));
    reader.skip(1);
    const view = reader.bytes(2);
    expect([...view]).toEqual([2, 3]);
    expect(view.buffer).toBe(outer.buffer);
    expect([...reader.rest()]).toEqual([4]);
    expect(reader.done).toBe(true);
    expect(reader.rest().length).toBe(0);
  });

  it("starts where it is told to", () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3), 2);
    expect(reader.offset).toBe(2);
    expect(reader.u8()).toBe(3);
    expect(() => new ByteReader(Uint8Array.of(1), 2)).toThrow(InvariantViolation);
  });
});
