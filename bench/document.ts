// Document — the results of a run as JSON: what `--json` writes, and what charts are drawn from.

import { type Spread, spread } from "./figures.js";
import { type Judged, judge, type Verdict, verdictOf } from "./judge.js";
import type { Limit, LimitName } from "./limit.js";
import type { Measurements } from "./rounds.js";

/** Where a run was made: figures without it mean nothing. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  /** Of all directories of the run. */
  readonly fileSystem: string;
}

/** One comparison: measured, or why not. */
export type RatioDocument = {
  readonly what: string;
  /** Left out when it is only published. */
  readonly target?: number;
  readonly bound?: "atLeast" | "atMost";
  /** Left out for a ratio. */
  readonly unit?: string;
} & (
  | (Spread & { readonly met?: boolean })
  | { readonly skipped: string }
  | { readonly failed: string }
);

/** One bar of a chart, or one point of a curve. */
export type BarDocument = {
  readonly subject: string;
  readonly label: string;
  readonly ours: boolean;
} & (Spread | { readonly skipped: string } | { readonly failed: string });

/** A target or a curve with all its figures. */
export interface GroupDocument {
  readonly title: string;
  readonly unit: string;
  /** A curve has no verdict. */
  readonly verdict?: Verdict;
  readonly limits: readonly LimitName[];
  readonly bars: readonly BarDocument[];
  /** Every figure of every subject, by its name, in the order of rounds. */
  readonly figures: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}

export interface BenchDocument {
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly quick: boolean;
  readonly rounds: number;
  readonly limits: Readonly<Partial<Record<LimitName, Limit>>>;
  readonly ratios: Readonly<Record<string, RatioDocument>>;
  readonly targets: Readonly<Record<string, GroupDocument>>;
  readonly curves: Readonly<Record<string, GroupDocument>>;
}

/** One target or curve as it was measured and judged. */
export interface Finished {
  readonly id: string;
  readonly judged: readonly Judged[];
  readonly group: GroupDocument;
}

export function finish(measurements: Measurements): Finished {
  const { target } = measurements;
  const judged = judge(measurements);
  const group: GroupDocument = {
    title: target.title,
    unit: target.unit,
    ...(judged.length === 0 ? {} : { verdict: verdictOf(judged) }),
    limits: target.limits,
    bars: Object.entries(target.subjects).flatMap(([subject, { shown, ours }]) =>
      shown.map(({ figure, label }) => {
        return { subject, label, ours, ...barOf(measurements, subject, figure) };
      }),
    ),
    figures: figuresOf(measurements),
  };
  return { id: target.id, judged, group };
}

export function documentOf(
  run: Pick<BenchDocument, "date" | "machine" | "versions" | "seed" | "quick" | "rounds">,
  limits: ReadonlyMap<LimitName, Limit>,
  finished: readonly Finished[],
): BenchDocument {
  const groups = (isCurve: boolean) =>
    Object.fromEntries(
      finished
        .filter(({ judged }) => (judged.length === 0) === isCurve)
        .map(({ id, group }) => [id, group]),
    );
  return {
    ...run,
    limits: Object.fromEntries(limits),
    ratios: Object.fromEntries(
      finished.flatMap(({ judged }) => judged.map((each) => [each.key, ratioOf(each)])),
    ),
    targets: groups(false),
    curves: groups(true),
  };
}

function ratioOf({ what, unit, bound, outcome }: Judged): RatioDocument {
  const said = {
    what,
    ...(bound === undefined ? {} : { target: bound.target, bound: bound.kind }),
    ...(unit === "" ? {} : { unit }),
  };
  if (outcome.kind === "measured") {
    return { ...said, ...outcome.spread, ...(bound === undefined ? {} : { met: outcome.met }) };
  }
  if (outcome.kind === "skipped") return { ...said, skipped: outcome.reason };
  return { ...said, failed: outcome.reason };
}

function barOf(
  { rounds, skipped, failed }: Measurements,
  subject: string,
  figure: string,
): Spread | { readonly skipped: string } | { readonly failed: string } {
  const why = skipped.get(subject);
  if (why !== undefined) return { skipped: why };
  const samples = rounds.flatMap((figures) => figures[subject]?.[figure] ?? []);
  const reason = failed.get(subject);
  if (reason !== undefined) return { failed: reason };
  return samples.length === 0 ? { failed: `no figure ${figure}` } : spread(samples);
}

/** Of subjects that did their work wrong there are none. */
function figuresOf({ rounds, failed }: Measurements): GroupDocument["figures"] {
  const figures: Record<string, Record<string, number[]>> = {};
  for (const round of rounds) {
    for (const [subject, found] of Object.entries(round)) {
      if (failed.has(subject)) continue;
      const of = figures[subject] ?? {};
      for (const [name, value] of Object.entries(found)) of[name] = [...(of[name] ?? []), value];
      figures[subject] = of;
    }
  }
  return figures;
}
