import { judgeAgents, judgeWrites, settle, type Finding, type Promises } from "./judge.js";
import type { Known } from "./known.js";
import type { Workload } from "./load.js";
import { observeAgents, observeWrites } from "./observe.js";

/** What agents may be expected to do. */
const promises: Promises = { operationsOnce: true };

/** How long what was accepted may take to finish. */
const finishMs = 60_000;

/**
 * Looks at a directory that was launched a moment ago and that nobody else uses: at what was
 * written, then lets the agents finish and looks at them. Without findings it settles `known`.
 */
export async function verify(runtime: Workload, known: Known): Promise<Finding[]> {
  const writes = await observeWrites(runtime);
  const findings = judgeWrites(known, writes);
  const signal = AbortSignal.timeout(finishMs);
  try {
    await runtime.drain({ signal });
    const agents = await observeAgents(runtime, known, signal);
    findings.push(...judgeAgents(known, agents, promises));
    if (findings.length === 0) settle(known, writes, agents);
  } catch (error) {
    if (!signal.aborted) throw error;
    findings.push({ wrong: "lost", what: `agents have not finished within ${finishMs} ms` });
  }
  return findings;
}
