// Human — who answers the questions of the triage: somebody at a terminal, or a script.

import { createInterface } from "node:readline/promises";
import { type Invocation, PartitaError } from "../../index.js";
import type { LabelledMail } from "./mails.js";
import type { Decision, Question } from "./topology.js";

/** Answers one question; what it says may be nonsense, which is refused. */
export type Human = (question: Question) => Promise<string>;

/** Whoever sits at the terminal. */
export async function atTerminal({ from, subject, text, reasons }: Question): Promise<string> {
  const screen = createInterface({ input: process.stdin, output: process.stdout });
  console.log(`\nFrom: ${from}\nSubject: ${subject}\n${text.replace(/^/gm, "  ")}`);
  console.log(reasons.join(", "));
  const answer = await screen.question("spam or ham? ");
  screen.close();
  return answer.trim().toLowerCase();
}

/** Says what the corpus says. */
export function byLabels(mails: readonly LabelledMail[]): Human {
  return async ({ from, subject }) => {
    const found = mails.find(({ mail }) => mail.from === from && mail.subject === subject);
    return found?.label ?? "no idea";
  };
}

/** Answers whatever the invocation asks until it has its result. */
export async function answerAll(
  invocation: Invocation<readonly Decision[]>,
  human: Human,
): Promise<readonly Decision[]> {
  for (;;) {
    const step = await invocation.nextStep();
    if (step.kind === "result") return step.result;
    // cast: the agent asks nothing else
    const answer = await human(step.question.prompt as Question);
    try {
      await invocation.answer(step.question, answer);
    } catch (error) {
      // Neither "spam" nor "ham": the question is still open, and comes again.
      if (!PartitaError.is(error, "SCHEMA_INVALID")) throw error;
      console.log(`"${answer}" is no answer`);
    }
  }
}
