// Answer book — which answers were given to which questions, and what became of each.
//
//   Q1  a place that asked was answered once, with an answer that was given to it
//   Q2  what was refused is nowhere
//   Q3  what was taken is there, unless the place has asked again in a later attempt
//   Q4  a question is stale because somebody else has answered it, or it was asked again
//
// Owns: notes of answers, and comparing them with what nodes have taken.

import { clerkToken } from "./driving-topology.js";
import { unasked } from "./waiting-topology.js";

/** How an answer came out; `open` also when nobody knows. */
type Fate = "open" | "taken" | "refused";

interface Given {
  readonly place: string;
  fate: Fate;
}

export class AnswerBook {
  readonly #given = new Map<string, Given>();
  /** When a question was known to be answered. */
  readonly #closed = new Map<string, number>();

  /** An answer is on its way to a question of that place. */
  give(token: string, place: string): void {
    this.#given.set(token, { place, fate: "open" });
  }

  taken(token: string, question: string, at: number): void {
    this.#settle(token, "taken");
    if (!this.#closed.has(question)) this.#closed.set(question, at);
  }

  refused(token: string): void {
    this.#settle(token, "refused");
  }

  /** Whether a question was answered before that moment. */
  isClosed(question: string, before: number): boolean {
    const at = this.#closed.get(question);
    return at !== undefined && at < before;
  }

  /** What is wrong with what nodes have taken, by place; of places that can be judged. */
  problems(
    taken: ReadonlyMap<string, readonly string[]>,
    isJudged: (place: string) => boolean = () => true,
  ): string[] {
    const problems: string[] = [];
    for (const [place, tokens] of taken) {
      if (tokens.length !== 1) problems.push(`Q1: ${place} took ${tokens.join(", ")}`);
      for (const token of tokens) {
        if (token === unasked || token === clerkToken(place)) continue;
        const given = this.#given.get(token);
        if (given?.place !== place) {
          problems.push(`Q1: ${place} took ${token}, which was given to ${given?.place}`);
        } else if (given.fate === "refused") {
          problems.push(`Q2: ${place} took ${token}, which was refused`);
        }
      }
    }
    for (const [token, { place, fate }] of this.#given) {
      if (fate === "open" || !isJudged(place) || askedAgain(taken, place)) continue;
      const tokens = taken.get(place) ?? [];
      if (fate === "taken" && !tokens.includes(token)) {
        problems.push(`Q3: ${token} was taken by ${place}, which has ${tokens.join(", ")}`);
      }
      if (fate === "refused" && tokens.length === 0) {
        problems.push(`Q4: ${token} was stale for ${place}, which nobody has answered`);
      }
    }
    return problems;
  }

  #settle(token: string, fate: Fate): void {
    const given = this.#given.get(token);
    if (given !== undefined) given.fate = fate;
  }
}

/** Whether a later attempt was answered at the same place. */
function askedAgain(taken: ReadonlyMap<string, unknown>, place: string): boolean {
  const [, of = "", attempt = ""] = /^(.*) (\d+)$/.exec(place) ?? [];
  for (let later = Number(attempt) + 1; later < 10; later += 1) {
    if (taken.has(`${of} ${later}`)) return true;
  }
  return false;
}
