// Triage — mails are judged by rules and by what is known of their senders; a human has the last
// word where both are not sure.
//
// Guarantees:
//   1. Each mail is judged once and stands in the summary once, whatever dies meanwhile.
//   2. The mails of one sender are judged one after the other, in the order in which they came:
//      what was learned from the first is known to the second, also if a human had to answer first.
//   3. A question that is open survives restarts. Nobody is asked twice about what was answered.
//   4. A fork with another ruling changes what follows from it; all else is as it was.

import { z } from "zod";
import {
  agent,
  gather,
  keyValueStore,
  list,
  node,
  scatter,
  string,
  topology,
  type,
} from "../../index.js";
import type { Mail, Verdict } from "./mails.js";
import { type Finding, findings, pointsOf } from "./rules.js";

/** From these points on a mail is spam without a question. */
export const spamFrom = 3;
/** Up to these it is ham. */
export const hamUpTo = 0;

/** A mail to judge; with a ruling there is nothing left to judge. */
export interface Judged {
  readonly mail: Mail;
  readonly ruling?: Verdict;
}

export interface Decision {
  readonly mail: string;
  readonly verdict: Verdict;
  readonly by: "rules" | "human" | "ruling";
  /** Names the run of `judge` that decided: what a fork replaces. */
  readonly nodeInvocationId: string;
}

/** What a human is shown. */
export interface Question {
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly reasons: readonly string[];
}

/** What `judge` streams. */
export interface Progress {
  readonly mail: string;
  readonly verdict: Verdict;
}

/** The verdicts on a sender's mails, by mail. */
type Sender = ReadonlyMap<string, Verdict>;

const senders = keyValueStore({
  key: string,
  value: type<Sender>(),
  updates: {
    // By mail: a verdict that comes again counts once, another one on the same mail replaces it.
    learn: (known: Sender = new Map(), mail: string, verdict: Verdict): Sender => {
      return new Map(known).set(mail, verdict);
    },
  },
});

/** What is known of the sender, as a rule among the others. */
export function reputation(known: Iterable<Verdict>): Finding {
  const verdicts = [...known];
  const spam = verdicts.filter((verdict) => verdict === "spam").length;
  const ham = verdicts.length - spam;
  const points = spam === ham ? 0 : spam > ham ? 3 : -3;
  return { points, reason: `${spam} spam and ${ham} other mails from this sender` };
}

export const triage = agent({
  stores: { senders },
  entry: "inbox",
  result: type<readonly Decision[]>(),
  nodes: {
    inbox: scatter({ input: type<readonly Mail[]>(), to: ["judge"] }),
    judge: node({ input: type<Judged>(), to: ["summary"], key: ({ mail }) => mail.from }),
    summary: gather({ collect: list(type<Decision>()) }),
  },
}).implement({
  inbox(ctx, mails) {
    for (const mail of mails) ctx.emit("judge", { mail });
  },
  async judge(ctx, { mail, ruling }) {
    const known = await ctx.stores.senders.get(mail.from, new Map());
    const found = [...findings(mail), reputation(known.values())];
    const points = pointsOf(found);
    const clear = points >= spamFrom ? "spam" : points <= hamUpTo ? "ham" : undefined;
    let verdict = ruling ?? clear;
    let by: Decision["by"] = ruling === undefined ? "rules" : "ruling";
    if (verdict === undefined) {
      const { from, subject, text } = mail;
      const reasons = found.map((finding) => `${finding.points} ${finding.reason}`);
      const question: Question = { from, subject, text: text.slice(0, 500), reasons };
      // The key is held meanwhile: the next mail of this sender is judged when this one has been.
      // No thread is: a thousand questions may be open, for days.
      verdict = await ctx.askHuman(question, z.enum(["spam", "ham"]));
      by = "human";
    }
    await ctx.stores.senders.update("learn", mail.from, mail.id, verdict);
    await ctx.chunk({ mail: mail.id, verdict } satisfies Progress);
    const { nodeInvocationId } = ctx;
    ctx.emit("summary", { mail: mail.id, verdict, by, nodeInvocationId });
  },
  summary(ctx, decisions) {
    ctx.result(decisions);
  },
});

export default topology("triage", import.meta.url, { stores: { senders }, agents: { triage } });
