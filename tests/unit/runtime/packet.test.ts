// Bugs here would look like bytes of one section read as another's, or a packet that is cut
// unnoticed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../base/byte-writer.js";
import { readSections, section, writeSection } from "../../../runtime/packet.js";
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

describe("packet", () => {
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
