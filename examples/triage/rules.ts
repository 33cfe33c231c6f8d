// Rules — what a mail says for itself: points for spam, points against it.
//
// A few rules of the kind that mail filters began with, each a sentence that a person can check.
// They are right about most mails and know when they are not sure, which is what the example is
// about. Pure: the same mail always has the same points.

import type { Mail } from "./mails.js";

/** One rule that a mail meets. */
export interface Finding {
  readonly points: number;
  readonly reason: string;
}

const offers = [
  /\bclick (?:here|below)\b/i,
  /\b(?:100%|absolutely|completely) free\b|\bfree (?:trial|sample|gift|access|quote|report)/i,
  /\bguaranteed?\b/i,
  /\b(?:remove|opt-?out|unsubscribe)\b.{0,80}\b(?:list|mailing|e-?mail|here|receive)/is,
  /\b(?:credit|loans?|mortgage|debts?|insurance)\b/i,
  /\$ ?\d{1,3}(?:,\d{3})+|\bmillion (?:us )?dollars\b/i,
  /\b(?:order|call|act|apply|join) (?:now|today)\b|\blimited time\b/i,
  /\bwork(?:ing)? (?:from|at) home\b|\bhome business\b|\bmake money\b|\bcash\b/i,
  /\b(?:weight|pounds|pills?|casino|lottery|winner)\b/i,
];

/** All rules that a mail meets. */
export function findings({ subject, isReply, isHtml, text }: Mail): readonly Finding[] {
  const found: Finding[] = [];
  const add = (holds: boolean, points: number, reason: string): void => {
    if (holds) found.push({ points, reason });
  };
  const content = `${subject}\n${text}`;
  const count = offers.filter((offer) => offer.test(content)).length;
  const letters = subject.replace(/[^A-Za-z]/g, "");
  add(count > 0, Math.min(count, 4), `${count} of ${offers.length} kinds of offers`);
  add(isHtml, 2, "HTML and nothing else");
  add(letters.length > 8 && letters === letters.toUpperCase(), 2, "the subject shouts");
  add(
    /[!$]{2}|\bfree\b|\d{4,}$|\s{4}/i.test(subject),
    1,
    "the subject looks like an advertisement",
  );
  add(isReply, -4, "answers another mail");
  add(/^>/m.test(text), -2, "quotes another mail");
  add(/^\[[^\]]+\]|^re:/i.test(subject), -1, "the subject is that of a list or of an answer");
  add(/https?:\/\/\d+\.\d+/.test(text), 2, "links to a number");
  return found;
}

/** The sum of the points. */
export function pointsOf(found: readonly Finding[]): number {
  return found.reduce((sum, { points }) => sum + points, 0);
}
