import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import { answerAll, atTerminal, byLabels } from "./human.js";
import { loadMails } from "./mails.js";
import { showDecisions, showProgress } from "./report.js";
import topology from "./topology.js";

async function main(directory: string): Promise<void> {
  const labelled = loadMails(60);
  const human = process.stdin.isTTY ? atTerminal : byLabels(labelled);
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });

  const triage = await runtime.agent("triage").initiate(labelled.map(({ mail }) => mail));
  const progress = showProgress(triage.streamAll("judge"), labelled.length);
  const decisions = await answerAll(triage, human);
  await progress;
  showDecisions(decisions, labelled);
}

const directory = await mkdtemp(join(tmpdir(), "partita-triage-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
