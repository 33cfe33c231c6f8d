// Verdict — what every checker of this folder answers with: sentences, and what they are about.

import { AssertionError } from "node:assert";

/** One contradiction. */
export interface Violation<Operation> {
  /** Which rule is broken; each checker lists its rules. */
  readonly rule: string;
  /** One sentence that names the operations and says what contradicts what. */
  readonly message: string;
  /** The operations that the sentence is about, as they were given. */
  readonly operations: readonly Operation[];
}

/** What a checker found. */
export interface Verdict<Operation> {
  /** `undecided`: a search was given up at its bound, as the one violation then says. */
  readonly outcome: "holds" | "violated" | "undecided";
  /** Empty if and only if `outcome` is `holds`. At most `violationsMax` of them. */
  readonly violations: readonly Violation<Operation>[];
  /** How many there are in all, those that were not kept included. */
  readonly violationCount: number;
  /** How many operations were looked at. */
  readonly checked: number;
}

/** Violations that are kept when nothing else is asked: more only repeat the same mistake. */
export const violationsKept = 20;

/** Collects violations up to a bound. */
export class Findings<Operation> {
  readonly #max: number;
  readonly #violations: Violation<Operation>[] = [];
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** `message` is only asked for when the violation is kept. */
  add(rule: string, operations: readonly Operation[], message: () => string): void {
    this.#count += 1;
    if (this.#violations.length >= this.#max) return;
    this.#violations.push({ rule, message: message(), operations });
  }

  verdict(checked: number): Verdict<Operation> {
    return {
      outcome: this.#count === 0 ? "holds" : "violated",
      violations: this.#violations,
      violationCount: this.#count,
      checked,
    };
  }
}

/**
 * Throws when something was found, or when it could not be decided.
 * @throws AssertionError (node:assert) with a sentence for each violation
 */
export function assertHolds<Operation>(what: string, verdict: Verdict<Operation>): void {
  if (verdict.outcome === "holds") return;
  const { violations, violationCount, checked } = verdict;
  const more = violationCount - violations.length;
  const lines = [
    `${what}: ${violationCount} ${violationCount === 1 ? "violation" : "violations"} in ${checked}`,
    ...violations.map(({ rule, message }) => `  ${rule}: ${message}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ];
  throw new AssertionError({ message: lines.join("\n"), actual: violations, expected: [] });
}
