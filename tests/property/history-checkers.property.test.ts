// The two checkers of histories against made-up ones and against each other: never an alarm at what
// a correct register has answered, always one at what it cannot. Bugs here would look like a test
// of somebody's topology that fails without reason, or passes without reason.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkLinearizable, type VersionedOperation } from "../../testing/index.js";
import {
  asCalls,
  explainedByTrying,
  perform,
  plainRegister,
  plans,
  register,
  spoilt,
} from "../support/made-history.js";
import { check, scaledRuns } from "../support/property.js";

function versioned(history: readonly VersionedOperation[]): string {
  return checkLinearizable(history).outcome;
}

function searched(history: readonly VersionedOperation[]): string {
  return checkLinearizable(asCalls(history), { model: register }).outcome;
}

describe("history checkers — what a register has answered", () => {
  it("holds by versions, with and without values, in any order of the list", async () => {
    const shuffled = plans(300, 2_000).chain((plan) =>
      fc.boolean().chain((marked) => fc.shuffledSubarray(perform(plan, marked), full(plan.length))),
    );
    await check(
      fc.property(shuffled, (history) => {
        expect(versioned(history)).toBe("holds");
      }),
      { runs: 300 },
    );
  });

  it("holds by the search, with up to forty calls at a time", async () => {
    await check(
      fc.property(plans(40), (plan) => {
        expect(searched(perform(plan, true))).toBe("holds");
      }),
      { runs: 300 },
    );
  });
});

describe("history checkers — what no register answers", () => {
  it.each(["stale", "future"] as const)("finds every %s read, by both", async (how) => {
    let count = 0;
    await check(
      fc.property(plans(16, 200), fc.boolean(), (plan, marked) => {
        // Without unknown outcomes: one of those could explain what was read.
        const known = plan.map((planned) => ({ ...planned, fate: "returned" as const }));
        for (const history of spoilt(perform(known, marked), how)) {
          count += 1;
          expect(versioned(history)).toBe("violated");
          if (marked) expect(searched(history)).toBe("violated");
        }
      }),
      { runs: 200 },
    );
    expect(count).toBeGreaterThan(scaledRuns(100));
  });

  it("finds every lost write, by both", async () => {
    let count = 0;
    await check(
      fc.property(plans(16, 200), (plan) => {
        const known = plan.map((planned) => ({ ...planned, fate: "returned" as const }));
        const history = perform(known, true);
        for (const lost of history.filter(({ kind }) => kind === "write")) {
          // The writes behind it take over its number, as if it had never been.
          const rest = history.map((one) => {
            const { version = 0 } = one;
            const isBehind = version > (lost.version ?? 0);
            return isBehind ? { ...one, version: version - 1 } : one;
          });
          if (!rest.some((one) => one !== lost && one.version === lost.version)) continue;
          const seen = rest.filter((one) => one.kind === "write" || one.value !== lost.value);
          if (!seen.some((one) => one !== lost && one.version === lost.version)) continue;
          count += 1;
          expect(versioned(seen)).toBe("violated");
          expect(searched(seen)).toBe("violated");
        }
      }),
      { runs: 60 },
    );
    expect(count).toBeGreaterThan(scaledRuns(50));
  });

  it("says the same by versions and by the search, whatever the history", async () => {
    const outcomes = new Map<string, number>();
    const operation = fc.record({ index: fc.nat(12), version: fc.nat(4), from: fc.nat(12) });
    const spoil = fc.array(operation, { maxLength: 2 });
    await check(
      fc.property(plans(10, 40), spoil, fc.boolean(), (plan, changes, marked) => {
        const history = perform(plan, marked);
        for (const { index, version, from } of changes) changeAt(history, index, version, from);
        const outcome = versioned(history);
        expect(searched(history)).toBe(outcome);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { runs: 4_000 },
    );
    expect(outcomes.get("holds")).toBeGreaterThan(scaledRuns(200));
    expect(outcomes.get("violated")).toBeGreaterThan(scaledRuns(200));
  });
});

describe("history checkers — the search", () => {
  it("finds what trying all orders finds, for a register without versions", async () => {
    const outcomes = new Map<boolean, number>();
    const call = fc.record({
      input: fc.oneof(fc.constant("read" as const), fc.integer({ min: 1, max: 2 })),
      answer: fc.nat(2),
      invoked: fc.nat(12),
      duration: fc.oneof(fc.nat(8), fc.constant(Number.POSITIVE_INFINITY)),
    });
    const calls = fc.array(call, { minLength: 1, maxLength: 7 });
    await check(
      fc.property(calls, (planned) => {
        const history = planned.map(({ input, answer, invoked, duration }) => {
          const output = input === "read" ? answer : undefined;
          return { input, output, invoked, returned: invoked + duration };
        });
        const { outcome } = checkLinearizable(history, { model: plainRegister });
        const expected = explainedByTrying(history, plainRegister);
        expect(outcome).toBe(expected ? "holds" : "violated");
        outcomes.set(expected, (outcomes.get(expected) ?? 0) + 1);
      }),
      { runs: 5_000 },
    );
    expect(Math.min(outcomes.get(true) ?? 0, outcomes.get(false) ?? 0)).toBeGreaterThan(
      scaledRuns(200),
    );
  });
});

/** Lets one operation that has returned answer with another version and another one's value. */
function changeAt(
  history: VersionedOperation[],
  index: number,
  version: number,
  from: number,
): void {
  const one = history[index];
  const other = history[from];
  if (one?.version === undefined || other === undefined) return;
  const { value: _own, ...rest } = one;
  const isMarked = history.some((each) => each.value !== undefined);
  if (one.kind === "write") history[index] = { ...one, version: Math.max(1, version) };
  else if (!isMarked) history[index] = { ...one, version };
  else if (version === 0) history[index] = { ...rest, version };
  else history[index] = { ...rest, version, value: other.value ?? "nobody" };
}

function full(length: number): { minLength: number; maxLength: number } {
  return { minLength: length, maxLength: length };
}
