// Log — records, frames and segments as bytes: what stands where, and what is told from what.

import fs, { readFileSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { describe, expect, it, onTestFinished } from "vitest";
import { frameHeaderBytes, looksLikeFrame, readFrame, sealFrame } from "../../../store/frame.js";
import { RecordMemory, recordBytes } from "../../../store/record.js";
import { readHeader, Segment } from "../../../store/segment.js";
import { deleteSegment, listSegments } from "../../../store/task-files.js";
import { hex, hostileKeys, record } from "../../support/storage-bytes.js";
import { tempDirectory } from "../../support/temp-directory.js";

const kibibyte = 1024;

describe("record — bytes", () => {
  it("reads back what was written, at any place", () => {
    const memory = new RecordMemory(new SharedArrayBuffer(64 * kibibyte));
    let at = 64;
    for (const [index, key] of hostileKeys.entries()) {
      const version = index % 2 === 0 ? Number.MAX_SAFE_INTEGER - index : index + 1;
      const value = index % 3 === 0 ? undefined : new Uint8Array(index * 5).fill(index);
      const write = record(index * 13, key, version, value);
      const end = memory.write(at, write, index % 4 === 0);
      expect(end).toBe(at + recordBytes(key.length, value?.length ?? 0));
      expect(end % 8).toBe(0);
      expect(memory.table(at)).toBe(index * 13);
      expect(memory.version(at)).toBe(version);
      expect(memory.keyHash(at)).toBe(write.keyHash);
      expect(memory.isTombstone(at)).toBe(value === undefined);
      expect(memory.isBorn(at)).toBe(index % 4 === 0);
      expect(hex(memory.key(at))).toBe(hex(key));
      expect(hex(memory.value(at))).toBe(hex(value ?? new Uint8Array()));
      expect(memory.end(at)).toBe(end);
      expect(memory.holds(at, index * 13, key)).toBe(true);
      expect(memory.holds(at, index * 13 + 1, key)).toBe(false);
      expect(memory.holds(at, index * 13, Uint8Array.of(...key, 0))).toBe(false);
      at = end;
    }
  });

  it("is sound until any of its bits turns over", () => {
    const memory = new RecordMemory(new ArrayBuffer(kibibyte));
    const end = memory.write(64, record(16, "key", 5, "value"), true);
    expect(memory.isSound(64, end)).toBe(true);
    expect(memory.isSound(64, end - 1)).toBe(false);
    for (let byte = 64; byte < end; byte += 1) {
      memory.bytes[byte] = (memory.bytes[byte] ?? 0) ^ (1 << (byte % 8));
      expect(memory.isSound(64, kibibyte), `byte ${byte}`).toBe(false);
      memory.bytes[byte] = (memory.bytes[byte] ?? 0) ^ (1 << (byte % 8));
    }
    expect(memory.isSound(64, end)).toBe(true);
  });

  it("is touched at the very end of memory, too, where a short one has no other half", () => {
    const memory = new RecordMemory(new ArrayBuffer(200));
    memory.write(160, record(16, "a", 1, "x"), false);
    expect(memory.end(160)).toBe(200);
    expect(memory.touch(160)).toBe(16);
  });
});

describe("frame — bytes", () => {
  const header = { byteLength: 96, batch: 2 ** 40 + 7, syncedThrough: 2 ** 40 + 6, records: 3 };

  function sealed(): Uint8Array {
    const bytes = new Uint8Array(256).fill(0xab, 64 + frameHeaderBytes, 64 + 96);
    sealFrame(bytes, 64, header);
    return bytes;
  }

  it("reads back its header", () => {
    expect(readFrame(sealed(), 64, 256)).toEqual(header);
    expect(looksLikeFrame(sealed(), 64)).toBe(true);
    expect(looksLikeFrame(sealed(), 72)).toBe(false);
  });

  it("is bad when any of its bits turns over, or when it does not end", () => {
    for (let byte = 64; byte < 64 + 96; byte += 1) {
      const bytes = sealed();
      bytes[byte] = (bytes[byte] ?? 0) ^ (1 << (byte % 8));
      expect(readFrame(bytes, 64, 256), `byte ${byte}`).toBe("bad");
    }
    for (let end = 65; end < 64 + 96; end += 1) expect(readFrame(sealed(), 64, end)).toBe("bad");
  });

  it("tells the end of a log from a bad frame", () => {
    expect(readFrame(new Uint8Array(256), 64, 256)).toBe("end");
    expect(readFrame(new Uint8Array(70), 64, 70)).toBe("end");
    expect(readFrame(new Uint8Array(64), 64, 64)).toBe("end");
    expect(readFrame(new Uint8Array(256).fill(1, 80, 81), 64, 256)).toBe("bad");
  });
});

describe("segment — files", () => {
  function directoryWithLog(): string {
    const directory = tempDirectory();
    expect(listSegments(directory)).toEqual([]);
    return directory;
  }

  function create(directory: string, firstBatch: number, bytesMax = 8 * kibibyte ** 2): Segment {
    const segment = Segment.create(directory, 5, firstBatch, bytesMax);
    onTestFinished(() => segment.close());
    return segment;
  }

  it("names its task and its first batch, and only their owner can read it", () => {
    const directory = directoryWithLog();
    const { file } = create(directory, 42);
    const bytes = new Uint8Array(readFileSync(file.path));
    expect(readHeader(bytes, 5)).toBe(42);
    expect(readHeader(bytes, 6)).toBeUndefined();
    expect(readHeader(bytes.subarray(0, 63), 5)).toBeUndefined();
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    for (let byte = 0; byte < 64; byte += 1) {
      const damaged = bytes.slice();
      damaged[byte] = (damaged[byte] ?? 0) ^ 0x10;
      expect(readHeader(damaged, 5), `byte ${byte}`).toBeUndefined();
    }
  });

  it("is never made over one that is there", () => {
    const directory = directoryWithLog();
    create(directory, 1);
    expect(() => create(directory, 1)).toThrow("EEXIST");
  });

  it("writes an arena's bytes to their own places, with zeros ahead of them", async () => {
    const directory = directoryWithLog();
    const bytesMax = 4 * kibibyte ** 2;
    const segment = create(directory, 1, bytesMax);
    const arena = new Uint8Array(new SharedArrayBuffer(bytesMax));
    for (let at = 64; at < bytesMax; at += 1) arena[at] = 1 + (at % 250);
    let at = 64;
    for (const size of [8, 300 * kibibyte, 64, kibibyte ** 2, 2 * kibibyte ** 2, 8]) {
      while (segment.writableEnd < at + size) await segment.filled();
      segment.append(arena, at, at + size);
      at += size;
      segment.sync();
      const written = readFileSync(segment.file.path);
      expect(Buffer.compare(written.subarray(64, at), arena.slice(64, at))).toBe(0);
    }
    await segment.filled();
    const written = readFileSync(segment.file.path);
    expect(written.length).toBeLessThanOrEqual(bytesMax);
    expect(written.length).toBeGreaterThan(at);
    expect(written.subarray(at).every((byte) => byte === 0)).toBe(true);
  });

  it("does without zeros ahead when the device refuses them, and tries again", async () => {
    const directory = directoryWithLog();
    const bytesMax = 4 * kibibyte ** 2;
    const segment = create(directory, 1, bytesMax);
    const arena = new Uint8Array(bytesMax).fill(7);
    const { write } = fs;
    const refused: unknown[] = [];
    const refusing = (...args: unknown[]): void => {
      refused.push(args[4]);
      const told = args.at(-1);
      if (typeof told === "function") setImmediate(() => told(new Error("ENOSPC"), 0));
    };
    Object.assign(fs, { write: refusing });
    syncBuiltinESMExports();
    onTestFinished(() => {
      Object.assign(fs, { write });
      syncBuiltinESMExports();
    });
    const filled = 256 * kibibyte;
    segment.append(arena, 64, 128);
    await segment.filled();
    segment.append(arena, 128, filled + 100);
    await segment.filled();
    expect(refused).toEqual([filled, filled + 100]);
    expect(segment.writableEnd).toBe(bytesMax);
    expect(statSync(segment.file.path).size).toBe(filled + 100);
  });

  it("goes on where a recovered file was cut", async () => {
    const directory = directoryWithLog();
    const first = create(directory, 1);
    const arena = new Uint8Array(kibibyte).fill(7);
    first.append(arena, 64, 128);
    await first.close();
    await first.close();
    writeFileSync(first.file.path, readFileSync(first.file.path).subarray(0, 128));
    const again = Segment.reopen(first.file, 8 * kibibyte ** 2, 128);
    again.append(arena, 128, 256);
    await again.close();
    const written = readFileSync(first.file.path);
    expect(written.subarray(64, 256).every((byte) => byte === 7)).toBe(true);
  });

  it("is listed by its first batch, and gone once it is deleted", () => {
    const directory = directoryWithLog();
    for (const batch of [10, 2, 1_000_000_000_000, 9]) create(directory, batch);
    const listed = listSegments(directory);
    expect(listed.map((file) => file.firstBatch)).toEqual([2, 9, 10, 1_000_000_000_000]);
    writeFileSync(`${listed[0]?.path}.copy`, "not a segment");
    for (const file of listed.slice(1)) deleteSegment(directory, file);
    expect(listSegments(directory)).toEqual(listed.slice(0, 1));
  });
});
