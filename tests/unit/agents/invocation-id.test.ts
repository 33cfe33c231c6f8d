// A bug here would look like this: an id that leads to the wrong task, or two node invocations that
// cancel out in the account of an invocation.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  childNodeId,
  entryNodeId,
  formatInvocationId,
  formatNodeId,
  invocationIdOf,
  invocationName,
  newInvocationId,
  parseInvocationId,
  placementOf,
  randomPlacement,
} from "../../../agents/wire/invocation-id.js";
import { PartitaError } from "../../../base/errors.js";
import { check } from "../../support/property.js";
import { seededRandom } from "../../../testing/seeded-random.js";

const placements = fc.integer({ min: 0, max: 2 ** 32 - 1 });

function source(ms: number, seed: number) {
  const random = seededRandom(seed);
  return { now: () => ms, random };
}

describe("invocation id — text and bytes", () => {
  it("reads pppppppp-tttttttttttt-rrrrrrrrrrrr: placement, milliseconds, chance", () => {
    const id = newInvocationId(0xdead_beef, { now: () => 0x0123_4567_89ab, random: () => 0.5 });
    expect(formatInvocationId(id)).toBe("deadbeef-0123456789ab-800000800000");
  });

  it("comes back from its text, its name and its placement", async () => {
    await check(
      fc.property(placements, fc.nat(2 ** 48 - 1), fc.nat(), (placement, ms, seed) => {
        const id = newInvocationId(placement, source(ms, seed));
        expect(id.length).toBe(16);
        expect(placementOf(id)).toBe(placement);
        expect(parseInvocationId("a", formatInvocationId(id))).toEqual(id);
        expect(invocationIdOf(invocationName(id))).toEqual(id);
      }),
    );
  });

  it.each([
    "",
    "deadbeef",
    "deadbeef-0123456789ab-80000080000",
    "deadbeef-0123456789ab-8000008000000",
    "DEADBEEF-0123456789AB-800000800000",
    "deadbeef_0123456789ab_800000800000",
    " deadbeef-0123456789ab-800000800000",
    "deadbeef-0123456789ab-800000800000\n",
    "gggggggg-0123456789ab-800000800000",
  ])("refuses %j with INVOCATION_UNKNOWN: no invocation has such an id", (text) => {
    expect(() => parseInvocationId("transfer", text)).toThrow(
      expect.objectContaining({
        code: "INVOCATION_UNKNOWN",
        details: { agent: "transfer", invocationId: text },
      }),
    );
  });

  it("refuses what is no text", () => {
    try {
      // cast: what a JavaScript caller could pass
      parseInvocationId("transfer", 7 as unknown as string);
      expect.unreachable();
    } catch (error) {
      expect(PartitaError.is(error, "INVOCATION_UNKNOWN")).toBe(true);
    }
  });

  it("draws placements over the whole hash space", () => {
    expect(randomPlacement({ now: () => 0, random: () => 0 })).toBe(0);
    expect(randomPlacement({ now: () => 0, random: () => 1 - 2 ** -53 })).toBe(2 ** 32 - 1);
  });
});

describe("node invocation id — derived", () => {
  it("follows from the parent and the place among its emits, and from nothing else", () => {
    const root = entryNodeId(newInvocationId(7, source(1, 1)));
    expect(childNodeId(root, 3)).toEqual(childNodeId({ ...root }, 3));
    expect(formatNodeId(root)).toMatch(/^[0-9a-f]{16}$/);
    expect(formatNodeId({ high: 1, low: 2 })).toBe("0000000100000002");
  });

  it("differs for every node invocation of a tree", () => {
    const ids = new Set<string>();
    let count = 0;
    for (let seed = 0; seed < 20; seed += 1) {
      const root = entryNodeId(newInvocationId(seed, source(seed, seed)));
      for (let index = 0; index < 500; index += 1) {
        const child = childNodeId(root, index);
        ids.add(formatNodeId(child));
        ids.add(formatNodeId(childNodeId(child, index)));
        count += 2;
      }
    }
    expect(ids.size).toBe(count);
  });
});
