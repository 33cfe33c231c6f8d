// Mutant hunt — runs a command on one broken copy after the other, until each is noticed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { breakCopy, type Mutant } from "./mutant.js";
import type { TrialOutcome, TrialRun } from "./trial.js";

/**
 * Breaks a copy of `dist` by each mutant. `notices` runs the copy and resolves with the first
 * violation in words, or with `undefined` when there was none.
 */
export async function huntMutants(
  run: TrialRun<never>,
  mutants: readonly Mutant[],
  notices: (dist: string) => Promise<string | undefined>,
): Promise<TrialOutcome> {
  let killed = 0;
  for (const [index, mutant] of mutants.entries()) {
    if (run.signal.aborted) break;
    run.progress(index, mutants.length, mutant.name);
    const folder = mkdtempSync(join(tmpdir(), "partita-mutant-"));
    try {
      const shown = await notices(breakCopy(mutant, folder));
      if (shown !== undefined) killed += 1;
      run.say(`${shown === undefined ? "ALIVE " : "killed"} ${mutant.name}: ${shown ?? "unseen"}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const isAll = killed === mutants.length;
  return { line: `mutants: killed=${killed} of=${mutants.length}`, held: isAll };
}
