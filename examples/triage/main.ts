import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import { answerAll, atTerminal, byLabels } from "./human.js";
import { loadMails } from "./mails.js";
import { showChange, showDecisions, showProgress } from "./report.js";
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

  // What if a human had said the opposite about one of them?
  const byHuman = new Map(decisions.filter(({ by }) => by === "human").map((d) => [d.mail, d]));
  const mail = labelled.map(({ mail }) => mail).find(({ id }) => byHuman.has(id));
  const asked = byHuman.get(mail?.id ?? "");
  if (mail === undefined || asked === undefined) return;
  const ruling = asked.verdict === "spam" ? "ham" : "spam";
  const forked = await triage.fork({ [asked.nodeInvocationId]: { mail, ruling } });
  showChange(decisions, forked);
}

const directory = await mkdtemp(join(tmpdir(), "partita-triage-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
