// Bugs here would look like bytes of one section read as another's, or a packet that is cut
// unnoticed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { ByteWriter } from "../../../base/byte-writer.js";
import {
  ackBody,
  helloBody,
  readAck,
  readHello,
  readStreamHeader,
  streamBody,
  streamHeaderBytes,
  operation,
  readSections,
  requestHeaderBytes,
  section,
  status,
  writeReply,
  writeRequest,
  writeSection,
} from "../../../runtime/protocol.js";
import { check } from "../../support/property.js";

const kinds = fc.constantFrom(...Object.values(section));
const sections = fc.array(
  fc.record({
    kind: kinds,
    from: fc.nat(0xffff),
    to: fc.nat(0xffff),
    body: fc.uint8Array({ maxLength: 300 }),
  }),
);

function packetOf(written: typeof sections extends fc.Arbitrary<infer S> ? S : never) {
  const packet = new ByteWriter();
  for (const { kind, from, to, body } of written) writeSection(packet, kind, from, to, body);
  return packet.finish();
}

describe("protocol — sections", () => {
  it("reads the sections of a packet as they were written, in order", async () => {
    const property = fc.property(sections, (written) => {
      const read: unknown[] = [];
      readSections(packetOf(written), (kind, from, to, body) => {
        read.push({ kind, from, to, body: body.slice() });
      });
      expect(read).toEqual(written);
    });
    await check(property, { runs: 200 });
  });

  it("treats a packet cut anywhere but between sections as a broken invariant", async () => {
    const property = fc.property(
      sections.filter((all) => all.length > 0),
      fc.nat(),
      (written, at) => {
        const packet = packetOf(written);
        const ends = written.map((_, index) => packetOf(written.slice(0, index + 1)).length);
        const cut = at % packet.length;
        if (cut === 0 || ends.includes(cut)) return;
        expect(() => readSections(packet.slice(0, cut), () => {})).toThrow();
      },
    );
    await check(property, { runs: 200 });
  });
});

describe("protocol — bodies", () => {
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

  it("carries sequence numbers beyond 32 bits", () => {
    const number = 2 ** 40 + 7;
    for (const resend of [true, false]) {
      const ack = { applied: number, durable: number - 1, resend };
      expect(readAck(7, ackBody(7, ack))).toEqual(ack);
    }
    const stream = streamBody(7, number, Uint8Array.of(1, 2));
    expect(readStreamHeader(7, stream)).toBe(number);
    expect([...stream.subarray(streamHeaderBytes)]).toEqual([1, 2]);
  });

  it("treats whatever belongs to another range map as a broken invariant (W3)", () => {
    const ack = { applied: 1, durable: 1, resend: false };
    const message = "a message of epoch 2 reached a task of epoch 1";
    expect(() => readAck(1, ackBody(2, ack))).toThrow(message);
    expect(() => readStreamHeader(1, streamBody(2, 1, new Uint8Array(0)))).toThrow(message);
    expect(() => readHello(1, helloBody(2))).toThrow(message);
  });
});
