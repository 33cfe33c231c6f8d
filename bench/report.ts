// Report — what the benchmark says on the terminal: a line for each round, a table for each target,
// and the line at the end.

import type { Finished, Machine } from "./document.js";
import type { Judged, Verdict } from "./judge.js";
import type { Limit, LimitName } from "./limit.js";
import type { RoundFigures, Target } from "./target.js";

/** A number with at most four figures that count, and the thousands apart. */
export function shown(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 1_000) return Math.round(value).toLocaleString("en-US");
  const digits = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

export function headLines(machine: Machine, versions: Readonly<Record<string, string>>): string[] {
  const gibibytes = Math.round(machine.memoryBytes / 2 ** 30);
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${gibibytes} GiB, ${machine.system}, ` +
      `directories on ${machine.fileSystem}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  ];
  if (machine.fileSystem === "tmpfs") {
    lines.push("tmpfs has no device: nothing here is durable; set TMPDIR to a directory on a disk");
  }
  return lines;
}

/** `P1 2/7  partita 312,000  redis 98,100  (updates/s)  P1 3.18` */
export function roundLine(
  target: Target,
  index: number,
  count: number,
  figures: RoundFigures,
): string {
  const parts = Object.entries(target.subjects).flatMap(([name, { shown: bars }]) =>
    bars.flatMap(({ figure, label }) => {
      const value = figures[name]?.[figure];
      if (value === undefined) return [];
      return `${bars.length === 1 ? name : label} ${shown(value)}`;
    }),
  );
  const ratios = target.comparisons.flatMap(({ key, of, value, unit }) => {
    if (!of.every((name) => name in figures)) return [];
    return `${key}: ${shown(value(figures))}${unit === "" ? " x" : ` ${unit}`}`;
  });
  const head = `${target.id} ${index + 1}/${count}`.padEnd(10);
  return `${head} ${[...parts, ...ratios].join("  ")}`;
}

/** A table in Markdown, and the limits below it. */
export function tableLines(
  { id, judged, group }: Finished,
  limits: ReadonlyMap<LimitName, Limit>,
): string[] {
  const verdict = group.verdict === undefined ? "" : ` (${group.verdict})`;
  const lines = ["", `## ${id}: ${group.title}${verdict}`, ""];
  lines.push(`| ${group.unit} | median | min | max |`, "|---|---|---|---|");
  for (const bar of group.bars) {
    if ("median" in bar) {
      lines.push(`| ${bar.label} | ${[bar.median, bar.min, bar.max].map(shown).join(" | ")} |`);
    } else {
      const [word, why] = "skipped" in bar ? ["skipped", bar.skipped] : ["FAILED", bar.failed];
      lines.push(`| ${bar.label} | ${word}: ${why} | | |`);
    }
  }
  if (judged.length > 0) {
    lines.push("", "| ratio | target | median | min | max | |", "|---|---|---|---|---|---|");
    lines.push(...judged.map(judgedLine));
  }
  lines.push(...limitLines(group.limits, limits));
  return lines;
}

/** Unless nobody reads them: only the limits that were measured. */
function limitLines(
  names: readonly LimitName[],
  limits: ReadonlyMap<LimitName, Limit>,
): readonly string[] {
  const found = names.flatMap((name) => limits.get(name) ?? []);
  if (found.length === 0) return [];
  return ["", ...found.map(({ what, unit, value }) => `limit: ${what}: ${shown(value)} ${unit}`)];
}

function judgedLine({ what, unit, bound, outcome }: Judged): string {
  const wanted =
    bound === undefined
      ? "published"
      : `${bound.kind === "atLeast" ? ">=" : "<="} ${bound.target}${unit === "" ? "" : ` ${unit}`}`;
  if (outcome.kind !== "measured") {
    const word = outcome.kind === "skipped" ? "skipped" : "FAILED";
    return `| ${what} | ${wanted} | ${word}: ${outcome.reason} | | | |`;
  }
  const { median, min, max } = outcome.spread;
  const met = bound === undefined ? "" : outcome.met ? "met" : "missed";
  return `| ${what} | ${wanted} | ${[median, min, max].map(shown).join(" | ")} | ${met} |`;
}

/** The last line of a run. Curves are not counted. */
export function lastLine(verdicts: readonly Verdict[]): string {
  const count = (wanted: Verdict) => verdicts.filter((verdict) => verdict === wanted).length;
  const parts = (["met", "missed", "skipped", "failed"] as const).map(
    (word) => `${word}=${count(word)}`,
  );
  return `bench: targets=${verdicts.length} ${parts.join(" ")}`;
}
