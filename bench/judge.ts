// Judge — what the figures of all rounds come to: the ratios of a target, and whether it is met.
//
// Invariant:
//   J1. A ratio is one of figures of the same round. Where one of them is missing there is none,
//       and where a comparison has none at all it says why.

import { type Spread, spread } from "./figures.js";
import type { Measurements } from "./rounds.js";
import type { Comparison, RoundFigures } from "./target.js";

/** One comparison over all rounds. */
export type Judged = Comparison & { readonly outcome: Outcome };

export type Outcome =
  | { readonly kind: "measured"; readonly spread: Spread; readonly met: boolean }
  | { readonly kind: "skipped" | "failed"; readonly reason: string };

export type Verdict = "met" | "missed" | "skipped" | "failed";

export function judge(measurements: Measurements): Judged[] {
  return measurements.target.comparisons.map((comparison) => ({
    ...comparison,
    outcome: outcomeOf(comparison, measurements),
  }));
}

/**
 * A target is met when all its comparisons that have a bound are, and fails when any of its work
 * was wrong. Without a bound it is met by being there.
 */
export function verdictOf(judged: readonly Judged[]): Verdict {
  if (judged.some(({ outcome }) => outcome.kind === "failed")) return "failed";
  const bounded = judged.filter(({ bound }) => bound !== undefined);
  const outcomes = (bounded.length === 0 ? judged : bounded).map(({ outcome }) => outcome);
  if (outcomes.some((outcome) => outcome.kind === "measured" && !outcome.met)) return "missed";
  return outcomes.some(({ kind }) => kind === "skipped") ? "skipped" : "met";
}

function outcomeOf(comparison: Comparison, measurements: Measurements): Outcome {
  for (const kind of ["failed", "skipped"] as const) {
    const name = comparison.of.find((subject) => measurements[kind].has(subject));
    if (name === undefined) continue;
    return { kind, reason: `${name}: ${measurements[kind].get(name)}` };
  }
  const hasAll = (figures: RoundFigures) => comparison.of.every((name) => name in figures);
  const samples = measurements.rounds.filter(hasAll).map((figures) => comparison.value(figures));
  if (samples.length === 0) return { kind: "failed", reason: "no round was measured" };
  if (!samples.every(Number.isFinite)) return { kind: "failed", reason: "a figure is no number" };
  const found = spread(samples);
  return { kind: "measured", spread: found, met: isMet(comparison, found) };
}

/** By the median. */
function isMet({ bound }: Comparison, { median }: Spread): boolean {
  if (bound === undefined) return true;
  return bound.kind === "atLeast" ? median >= bound.target : median <= bound.target;
}
