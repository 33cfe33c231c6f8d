// A bug here would look like this: a record that comes back different, or grows without bound.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failuresBytesMax, failuresMax } from "../../../agents/wire/failure-list.js";
import {
  decodeRecord,
  encodeRecord,
  firstRecord,
  isOver,
  type InvocationRecord,
  type InvocationState,
  outcomeOf,
  withFailure,
} from "../../../agents/home/invocation-record.js";
import { noBytes } from "../../../agents/wire/wire-field.js";
import { check } from "../../support/property.js";

const bytes = fc.uint8Array({ maxLength: 30 });
const word = fc.nat(2 ** 32 - 1);
const state: fc.Arbitrary<InvocationState> = fc.oneof(
  fc.constant({ kind: "pending" as const }),
  fc.constant({ kind: "cancelled" as const }),
  fc.record({ kind: fc.constant("result" as const), value: bytes }),
  fc.record({
    kind: fc.constant("failed" as const),
    reason: fc.string({ unit: "grapheme" }),
    failuresThen: word,
  }),
);
const record: fc.Arbitrary<InvocationRecord> = fc.record({
  agent: fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/),
  placeNo: fc.maxSafeNat(),
  parts: fc.uint8Array({ maxLength: 40 }),
  isSpread: fc.boolean(),
  outstanding: fc.oneof(fc.record({ high: word, low: word }), fc.constant({ high: 0, low: 0 })),
  extras: fc.boolean(),
  copying: fc.boolean(),
  failures: fc.array(bytes),
  failuresLost: word,
  state,
  attempt: word,
  retries: word,
  isAwaited: fc.boolean(),
  isFenced: fc.boolean(),
  stop: fc.constantFrom(undefined, "cancel" as const, "restart" as const, "drop" as const),
  version: word,
  rootAttempt: word,
});

const empty = firstRecord(
  {
    agent: "a",
    outstanding: { high: 1, low: 2 },
    parts: noBytes,
    isSpread: false,
    extras: false,
    copying: false,
  },
  1,
);

describe("invocation record — the row", () => {
  it("is the same after it has been bytes, and tells undecoded whether all is over", async () => {
    await check(
      fc.property(record, (written) => {
        const row = encodeRecord(written);
        expect(decodeRecord(row)).toEqual(written);
        const { high, low } = written.outstanding;
        expect(isOver(row)).toBe(written.state.kind !== "pending" && high === 0 && low === 0);
        expect(outcomeOf(written) === undefined).toBe(written.state.kind === "pending");
      }),
    );
  });

  it("refuses a state that the format does not have", () => {
    const row = encodeRecord(empty);
    row[0] = 9;
    expect(() => decodeRecord(row)).toThrow(/invocation state 9/);
  });
});

describe("invocation record — failures", () => {
  const failed: InvocationRecord = {
    ...empty,
    state: { kind: "failed", reason: "r", failuresThen: 1 },
  };

  it("keeps the first ones and the newest, and counts those in between", () => {
    let kept = empty;
    for (let n = 0; n < failuresMax + 5; n += 1) kept = withFailure(kept, Uint8Array.of(n));
    expect(kept.failures.map((failure) => failure[0])).toEqual([
      ...Array.from({ length: failuresMax - 1 }, (_, n) => n),
      failuresMax + 4,
    ]);
    expect(kept.failuresLost).toBe(5);
  });

  it("keeps those that it failed with: later ones are only counted", () => {
    let kept = failed;
    for (let n = 0; n < failuresMax + 5; n += 1) kept = withFailure(kept, Uint8Array.of(n));
    expect(kept.failures.map((failure) => failure[0])).toEqual(
      Array.from({ length: failuresMax }, (_, n) => n),
    );
    expect(kept.failuresLost).toBe(5);
  });

  it.each([
    ["pending", empty],
    ["failed", failed],
  ])("keeps failures up to a size, and the first one in any case: %s", (_what, record) => {
    const large = new Uint8Array(failuresBytesMax + 1);
    const one = withFailure(record, large);
    expect(one.failures.length).toBe(1);
    const two = withFailure(one, Uint8Array.of(1));
    expect(two.failures.length).toBe(1);
    expect(two.failuresLost).toBe(1);
  });

  it("lets several of those in between go when a large one comes", () => {
    let kept = empty;
    for (let n = 0; n < 4; n += 1) kept = withFailure(kept, new Uint8Array(16 * 1024).fill(n));
    kept = withFailure(kept, new Uint8Array(32 * 1024).fill(4));
    expect(kept.failures.map((failure) => failure[0])).toEqual([0, 1, 4]);
    expect(kept.failuresLost).toBe(2);
  });
});
