// What goes wrong here would look like a mail that nobody judged, a sender whose second mail knows
// nothing of the first, or a fork that changes more than it should.

import { describe, expect, it, onTestFinished } from "vitest";
import { answerAll, byLabels } from "../../examples/triage/human.js";
import {
  type LabelledMail,
  loadMails,
  type Mail,
  type Verdict,
} from "../../examples/triage/mails.js";
import { findings, pointsOf } from "../../examples/triage/rules.js";
import topology, {
  type Decision,
  hamUpTo,
  type Progress,
  reputation,
  spamFrom,
} from "../../examples/triage/topology.js";
import { type HumanQuestion, type Invocation, launch, type Runtime } from "../../index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 0 };

async function open(directory = tempDirectory()): Promise<Runtime<(typeof topology)["parts"]>> {
  const runtime = await launch(topology, { directory, ...options });
  onTestFinished(() => runtime.close());
  return runtime;
}

/** The same by a plain loop over the mails, in their order. */
function judged(labelled: readonly LabelledMail[]): Omit<Decision, "nodeInvocationId">[] {
  const senders = new Map<string, Verdict[]>();
  return labelled.map(({ mail, label }) => {
    const known = senders.get(mail.from) ?? [];
    const points = pointsOf([...findings(mail), reputation(known)]);
    const clear = points >= spamFrom ? "spam" : points <= hamUpTo ? "ham" : undefined;
    const verdict = clear ?? label;
    senders.set(mail.from, [...known, verdict]);
    return { mail: mail.id, verdict, by: clear === undefined ? "human" : "rules" };
  });
}

const sorted = <T extends { readonly mail: string }>(decisions: readonly T[]): T[] =>
  decisions.toSorted((one, other) => (one.mail < other.mail ? -1 : 1));

const plain = ({ mail, verdict, by }: Decision) => ({ mail, verdict, by });

/** A mail that the rules are not sure of. */
function doubtful(id: string, from: string): Mail {
  const text = "Please find the report about your loan attached.";
  return { id, from, subject: "The report", isReply: false, isHtml: false, text };
}

describe("triage — the data", () => {
  it("mixes all groups of the corpus, each mail at most once", () => {
    const labelled = loadMails(200);
    const groups = labelled.map(({ mail }) => mail.id.slice(0, mail.id.indexOf("/")));

    expect(new Set(labelled.map(({ mail }) => mail.id)).size).toBe(200);
    expect([...new Set(groups)].sort()).toEqual([
      "easy-ham-1",
      "easy-ham-2",
      "hard-ham-1",
      "spam-1",
      "spam-2",
    ]);
    expect(labelled[0]?.mail).toMatchObject({ id: "easy-ham-1/00001", isReply: true });
    expect(labelled.filter(({ mail }) => mail.from.includes("@")).length).toBeGreaterThan(195);
  });

  it("is judged rightly by the rules, mostly, where they are sure", () => {
    const sure = loadMails(600)
      .map(({ mail, label }) => ({ points: pointsOf(findings(mail)), label }))
      .filter(({ points }) => points <= hamUpTo || points >= spamFrom);
    const right = sure.filter(({ points, label }) => points >= spamFrom === (label === "spam"));

    expect(sure.length).toBeGreaterThan(480);
    expect(right.length / sure.length).toBeGreaterThan(0.9);
  });
});

describe("triage — a whole inbox", () => {
  it("judges as a plain loop does, and asks about what is left in doubt", async () => {
    const labelled = loadMails(120);
    const runtime = await open();
    const triage = await runtime.agent("triage").initiate(labelled.map(({ mail }) => mail));
    const decisions = await answerAll(triage, byLabels(labelled));

    expect(sorted(decisions).map(plain)).toEqual(sorted(judged(labelled)));
    expect(decisions.filter(({ by }) => by === "human").length).toBeGreaterThan(5);
  });

  it("streams each decision, also to who comes late", async () => {
    const labelled = loadMails(30);
    const runtime = await open();
    const triage = await runtime.agent("triage").initiate(labelled.map(({ mail }) => mail));
    const decisions = await answerAll(triage, byLabels(labelled));
    const streamed: Progress[] = [];
    await triage.streamAll("judge").forEach((event) => {
      // cast: the node streams nothing else
      if (event.kind === "chunk") streamed.push(event.value as Progress);
    });

    expect(sorted(streamed)).toEqual(
      sorted(decisions).map(({ mail, verdict }) => ({ mail, verdict })),
    );
  });
});

describe("triage — questions", () => {
  it("asks once about a sender: the next mail is judged when the first has been", async () => {
    const runtime = await open();
    const mails = [doubtful("1", "ada@example.org"), doubtful("2", "ada@example.org")];
    const triage = await runtime.agent("triage").initiate(mails);
    await triage.nextStep();
    const questions = await triage.humanInputs();
    expect(questions).toHaveLength(1);
    await triage.answer(questions[0]?.id ?? "", "spam");

    expect(sorted(await triage.result()).map(plain)).toEqual([
      { mail: "1", verdict: "spam", by: "human" },
      { mail: "2", verdict: "spam", by: "rules" },
    ]);
  });

  it("refuses an answer that is none, and goes on asking", async () => {
    const runtime = await open();
    const triage = await runtime.agent("triage").initiate([doubtful("1", "ben@example.org")]);
    const step = await triage.nextStep();
    if (step.kind !== "question") throw new Error("it does not ask");

    await expect(triage.answer(step.question, "maybe")).rejects.toMatchObject({
      code: "SCHEMA_INVALID",
    });
    expect(await triage.humanInputs()).toEqual([step.question]);
    await triage.answer(step.question, "ham");
    await expect(triage.answer(step.question, "spam")).rejects.toMatchObject({
      code: "QUESTION_STALE",
    });
    expect((await triage.result()).map(plain)).toEqual([
      { mail: "1", verdict: "ham", by: "human" },
    ]);
  });

  it("keeps open questions over a restart, and asks nobody again", async () => {
    const directory = tempDirectory();
    const mails = ["1", "2", "3"].map((id) => doubtful(id, `${id}@example.org`));
    const before = await open(directory);
    const triage = await before.agent("triage").initiate(mails);
    const [answered, ...others] = await untilAsked(triage, 3);
    await triage.answer(answered?.id ?? "", "spam");
    await before.close();

    const after = (await open(directory)).agent("triage").get(triage.id);
    expect(await after.humanInputs()).toEqual(others);
    for (const question of others) await after.answer(question, "ham");
    expect(sorted(await after.result()).map(({ by }) => by)).toEqual(["human", "human", "human"]);
  });
});

describe("triage — a fork", () => {
  it("changes one decision and what follows from it, and asks nobody", async () => {
    const labelled = loadMails(60);
    const runtime = await open();
    const triage = await runtime.agent("triage").initiate(labelled.map(({ mail }) => mail));
    const decisions = await answerAll(triage, byLabels(labelled));
    const one = decisions.find(({ by }) => by === "human");
    const mail = labelled.find(({ mail }) => mail.id === one?.mail)?.mail;
    if (one === undefined || mail === undefined) throw new Error("nobody was asked");
    const ruling = one.verdict === "spam" ? "ham" : "spam";
    const fork = await triage.initiateFork({ [one.nodeInvocationId]: { mail, ruling } });
    const forked = await fork.result();

    expect(sorted(forked).map(plain)).toEqual(
      sorted(decisions).map((decision) => {
        return decision === one
          ? { mail: one.mail, verdict: ruling, by: "ruling" }
          : plain(decision);
      }),
    );
    expect(await triage.result()).toEqual(decisions);
    expect(await triage.forks()).toEqual([fork.id]);
    const sender = await runtime.store("senders").get(mail.from);
    expect(sender?.get(mail.id)).toBe(ruling);
  });
});

/** The questions of an invocation, when there are `count` of them. */
async function untilAsked(
  invocation: Invocation<unknown>,
  count: number,
): Promise<readonly HumanQuestion[]> {
  for (;;) {
    const questions = await invocation.humanInputs();
    if (questions.length >= count) return questions;
  }
}
