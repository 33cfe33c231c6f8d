// Answers record — what humans have said to surveys: each survey took one answer, the one of which
// its giver was told that it was taken.

import type { Bad, Part } from "./part.js";

export class AnswersRecord implements Part {
  /** By survey. */
  readonly #taken = new Map<string, string>();
  readonly #refused = new Set<string>();
  readonly #found = new Map<string, readonly string[]>();
  /** Those that were compared, and whose rows are being removed. */
  #settled = new Set<string>();

  ack([what = "", survey = "", token = ""]: readonly string[]): void {
    if (what === "refused") this.#refused.add(token);
    else this.#taken.set(`${survey} ${token}`, survey);
  }

  found([survey = "", ...tokens]: readonly string[]): void {
    this.#found.set(survey, tokens);
  }

  judge(bad: Bad): void {
    for (const [survey, tokens] of this.#found) {
      if (this.#settled.has(survey)) continue;
      if (tokens.length > 1) bad("duplicated", `survey ${survey} took ${tokens.length} answers`);
      for (const token of tokens) {
        if (this.#refused.has(token)) {
          bad("duplicated", `survey ${survey} took ${token}, which was refused`);
        }
      }
    }
    for (const [answer, survey] of this.#taken) {
      const [, token = ""] = answer.split(" ");
      if (this.#settled.has(survey) || this.#found.get(survey)?.includes(token)) continue;
      bad("lost", `survey ${survey} took ${token}, which is not there`);
    }
    this.#settled = new Set(this.#found.keys());
    this.#taken.clear();
    this.#refused.clear();
    this.forget();
  }

  forget(): void {
    this.#found.clear();
  }
}
