// Target — the words in which a file of `targets` or `curves` says what is measured beside what.
//
// Contracts only. Who carries it out: rounds.ts measures, judge.ts compares, report.ts, document.ts
// and chart.ts show.

import type { Figures } from "./figures.js";
import type { LimitName } from "./limit.js";
import type { Stage } from "./stage.js";

/** What a measurement gets to know. */
export interface Round {
  /** How long a load is to run. */
  readonly ms: number;
  /** From 0; the warm-up is -1. */
  readonly index: number;
}

/** Something open that can be measured again and again: the library, or a peer. */
export interface Subject {
  /**
   * One measurement, its work checked.
   * @throws CheckFailed when the work was wrong: then there is no figure
   */
  measure(round: Round): Promise<Figures>;
  close(): Promise<void>;
}

/** A figure as charts and tables show it. */
export interface Shown {
  readonly figure: string;
  readonly label: string;
}

export interface SubjectSpec {
  /** Ours is drawn in colour, others are grey. */
  readonly ours: boolean;
  readonly shown: readonly Shown[];
  /** @throws PeerMissing when the machine lacks it: then it is skipped, and said to be */
  open(stage: Stage): Promise<Subject>;
}

/** Figures of one round by the name of their subject. */
export type RoundFigures = Readonly<Record<string, Figures>>;

/** One number that a target is about, from figures of the same round. */
export interface Comparison {
  /** `P3`, or `P3-redis` when a target has several. */
  readonly key: string;
  readonly what: string;
  /** A ratio has no unit. */
  readonly unit: "" | "ms";
  /** Left out when both figures are only published. */
  readonly bound?: Bound;
  /** The subjects it needs. */
  readonly of: readonly string[];
  value(figures: RoundFigures): number;
}

export interface Bound {
  readonly kind: "atLeast" | "atMost";
  readonly target: number;
}

export interface Target {
  /** `P1` to `P10`; a curve has a name. */
  readonly id: string;
  /** The target with which a curve is measured when only that is asked for. */
  readonly partOf?: string;
  readonly title: string;
  /** Unit of the figures shown. */
  readonly unit: string;
  readonly subjects: Readonly<Record<string, SubjectSpec>>;
  readonly comparisons: readonly Comparison[];
  /** What no library can beat, shown beside. */
  readonly limits: readonly LimitName[];
  /** Length of one load. */
  readonly ms: { readonly full: number; readonly quick: number };
  /** Default: the rounds asked for. A curve and a long run take fewer. */
  readonly roundsMax?: number;
  /** Default true: one short round before, which does not count. */
  readonly warmUp?: boolean;
}

/** The machine lacks a peer. */
export class PeerMissing extends Error {
  constructor(peer: string, install: string) {
    super(`${peer} is missing; install it with: ${install}`);
  }
}

/** A figure that a comparison needs and that is there, because its subject was measured. */
export function figureOf(figures: RoundFigures, subject: string, figure: string): number {
  const value = figures[subject]?.[figure];
  if (value === undefined) throw new Error(`${subject} has no figure ${figure}`);
  return value;
}

/** What a program of ours has answered: numbers by name. */
export function figuresIn(answer: unknown): Figures {
  const entries = Object.entries(answer ?? {});
  const numbers = entries.filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  if (numbers.length < entries.length) throw new Error("a figure is no number");
  return Object.fromEntries(numbers);
}

/** One figure of `subject` over the same of `peer`. */
export function ratio(
  key: string,
  what: string,
  [subject, peer]: readonly [string, string],
  figure: string,
  bound?: Bound,
): Comparison {
  return {
    key,
    what,
    unit: "",
    ...(bound === undefined ? {} : { bound }),
    of: [subject, peer],
    value: (figures) => figureOf(figures, subject, figure) / figureOf(figures, peer, figure),
  };
}

/** One figure of a subject over another of its own. */
export function ratioWithin(
  key: string,
  what: string,
  subject: string,
  [figure, other]: readonly [string, string],
  bound: Bound,
): Comparison {
  const value: Comparison["value"] = (figures) =>
    figureOf(figures, subject, figure) / figureOf(figures, subject, other);
  return { key, what, unit: "", bound, of: [subject], value };
}

export function atLeast(target: number): Bound {
  return { kind: "atLeast", target };
}

export function atMost(target: number): Bound {
  return { kind: "atMost", target };
}
