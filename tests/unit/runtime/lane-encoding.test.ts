// Bugs here would look like a request that is read as another one, or with another's stamp.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { ByteWriter } from "../../../base/byte-writer.js";
import {
  operation,
  Request,
  requestHeaderBytes,
  stampBytes,
  stampKind,
  status,
  writeReply,
  writeRequest,
} from "../../../runtime/lane-encoding.js";
import { check } from "../../support/property.js";

const bytes = fc.uint8Array({ maxLength: 40 });
const stamps = fc.oneof(
  fc.record({
    kind: fc.constant(stampKind.call),
    id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    reads: bytes,
  }),
  fc.record({
    kind: fc.constantFrom(stampKind.first, stampKind.again),
    id: fc.uint8Array({ minLength: 28, maxLength: 28 }),
    reads: bytes,
  }),
);
const requests = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.values(operation)),
    table: fc.nat(0xffff),
    key: bytes,
    argument: bytes,
    stamp: fc.option(stamps, { nil: undefined }),
  }),
);

describe("lane encoding", () => {
  it("reads requests as they were written, in order, with and without stamps", async () => {
    const property = fc.property(requests, (written) => {
      const body = new ByteWriter();
      for (const { kind, table, key, argument, stamp } of written) {
        const before = body.length;
        writeRequest(body, kind, table, key, argument, stamp);
        const parts = key.length + argument.length + stampBytes(stamp);
        expect(body.length - before).toBe(requestHeaderBytes + parts);
      }
      const reader = new ByteReader(body.finish());
      const request = new Request();
      const read = written.map(() => {
        request.read(reader);
        const { kind, table, key, argument, stamp } = request;
        return { kind, table, key: [...key], argument: [...argument], stamp };
      });
      expect(reader.done).toBe(true);
      expect(read).toEqual(
        written.map((each) => ({ ...each, key: [...each.key], argument: [...each.argument] })),
      );
    });
    await check(property, { runs: 200 });
  });

  it("writes requests whose length is the header's and their parts'", () => {
    const body = new ByteWriter();
    const key = Uint8Array.of(1, 2, 3);
    writeRequest(body, operation.put, 300, key, Uint8Array.of(9));
    const reader = new ByteReader(body.finish());
    expect(body.length).toBe(requestHeaderBytes + 4);
    expect([reader.u8(), reader.u16(), reader.u16(), reader.u32()]).toEqual([2, 300, 3, 1]);
    expect([...reader.bytes(3), ...reader.bytes(1)]).toEqual([1, 2, 3, 9]);
    expect(reader.done).toBe(true);
  });

  it("writes a reply's status, length and bytes", () => {
    const body = new ByteWriter();
    writeReply(body, status.absent, Uint8Array.of(5, 6));
    const reader = new ByteReader(body.finish());
    expect([reader.u8(), reader.u32(), ...reader.rest()]).toEqual([1, 2, 5, 6]);
  });
});
