import { describe, expect, it } from "vitest";
import { heapBytesMax, keptAs, keptCopy } from "../../../base/kept-bytes.js";

const sizes = [0, 1, heapBytesMax, heapBytesMax + 1, 500, 1_024, 1_025, 20_000];

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

describe("a kept copy", () => {
  it("holds the bytes that were asked for, and stays when the source changes", () => {
    for (const length of sizes) {
      const source = filled(length + 10, 7);
      source.fill(9, 3, 3 + length);
      const copy = keptCopy(source, 3, 3 + length);
      source.fill(0);
      expect(copy).toEqual(filled(length, 9));
    }
  });

  it("is nobody else's, however many there are", () => {
    const wanted = (index: number): Uint8Array => {
      return filled(sizes[index % sizes.length] ?? 0, index % 251);
    };
    const copies = Array.from({ length: 1_000 }, (_, index) => keptCopy(wanted(index)));
    const spoilt = copies.filter((copy, index) => Buffer.compare(copy, wanted(index)) !== 0);
    expect(spoilt).toEqual([]);
  });

  it("keeps a chunk of 8 KiB at most beside itself", () => {
    for (const length of sizes) {
      expect(keptCopy(filled(length, 1)).buffer.byteLength).toBeLessThanOrEqual(
        Math.max(8_192, length),
      );
    }
  });
});

describe("what bytes are kept as", () => {
  it("is a copy where a part of a packet would keep the packet", () => {
    const packet = filled(100_000, 5);
    for (const length of [10, 100, 2_000]) {
      const kept = keptAs(packet.subarray(50, 50 + length));
      expect(kept).toEqual(filled(length, 5));
      expect(kept.buffer.byteLength).toBeLessThanOrEqual(8_192);
    }
  });

  it("is they themselves when they stand almost alone", () => {
    const message = filled(500, 5);
    const row = message.subarray(24);
    expect(keptAs(row)).toBe(row);
    const copied = keptCopy(message);
    expect(keptAs(copied)).toBe(copied);
  });
});
