// Report — what the triage prints.

import type { ChunkStream } from "../../index.js";
import type { LabelledMail } from "./mails.js";
import type { Decision } from "./topology.js";

/** Says now and then how many mails have been judged; resolves when all of them have. */
export async function showProgress(stream: ChunkStream, count: number): Promise<void> {
  const judged = new Set<string>();
  for await (const { kind, nodeInvocationId } of stream) {
    // A run that was cut off streams again, from its beginning.
    if (kind === "reset") judged.delete(nodeInvocationId);
    if (kind !== "chunk") continue;
    judged.add(nodeInvocationId);
    if (judged.size % 20 === 0) console.log(`${judged.size} of ${count} mails judged`);
  }
}

/** How many there were of each kind, and how often the corpus agrees. */
export function showDecisions(
  decisions: readonly Decision[],
  labelled: readonly LabelledMail[],
): void {
  const labels = new Map(labelled.map(({ mail, label }) => [mail.id, label]));
  for (const by of ["rules", "human"] as const) {
    const made = decisions.filter((decision) => decision.by === by);
    const spam = made.filter(({ verdict }) => verdict === "spam").length;
    const right = made.filter(({ mail, verdict }) => labels.get(mail) === verdict).length;
    console.log(
      `by ${by}: ${made.length} mails, ${spam} of them spam; ${right} as the corpus says`,
    );
  }
}

/** What is different in a fork. */
export function showChange(before: readonly Decision[], after: readonly Decision[]): void {
  const verdicts = new Map(before.map(({ mail, verdict }) => [mail, verdict]));
  const changed = after.filter(({ mail, verdict }) => verdicts.get(mail) !== verdict);
  for (const { mail, verdict } of changed) {
    console.log(`fork: ${mail} is ${verdict}, not ${verdicts.get(mail)}`);
  }
  console.log(`fork: ${after.length - changed.length} of ${before.length} decisions as before`);
}
