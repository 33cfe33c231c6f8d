// Inboxes — several senders to each, some of them by way of a node; each numbers what it sends.

import { inboxNames, type LoadOrder, posters, updaters, windows } from "../orders.js";
import { type Load, oneOf, type Report, type Tortured, Window } from "./client.js";

/** Says what is there. */
export async function findInboxes(runtime: Tortured, report: Report): Promise<void> {
  for await (const [key, inbox] of runtime.store("inboxes").entries()) {
    report.say(`found inboxes ${key} ${JSON.stringify(inbox)}`);
  }
}

/** Sends until nothing more can be called. */
export async function loadInboxes(load: Load, { inboxes }: LoadOrder): Promise<void> {
  const { runtime } = load;
  const update = async (inbox: string, sender: string, n: number): Promise<void> => {
    await runtime.store("inboxes").update("append", inbox, sender, n);
  };
  const post = async (inbox: string, sender: string, n: number): Promise<void> => {
    await runtime.agent("post").initiate({ inbox, sender, n });
  };
  await Promise.all([
    ...updaters.map((sender) => send(load, sender, inboxes, update)),
    ...posters.map((sender) => send(load, sender, inboxes, post)),
  ]);
}

type Send = (inbox: string, sender: string, n: number) => Promise<void>;

async function send(
  { report, random }: Load,
  sender: string,
  resume: LoadOrder["inboxes"],
  call: Send,
): Promise<void> {
  const window = new Window(report, windows.inboxes);
  const next = new Map(inboxNames.map((inbox) => [inbox, resume[`${inbox} ${sender}`] ?? 1]));
  while (!window.closed) {
    await window.room();
    const inbox = oneOf(
      random,
      inboxNames.filter((name) => !window.isFrozen(name)),
    );
    if (inbox === undefined) return;
    const n = next.get(inbox) ?? 1;
    next.set(inbox, n + 1);
    window.begin(inbox, async () => {
      await call(inbox, sender, n);
      report.say(`ack inboxes ${inbox} ${sender} ${n}`);
    });
  }
}
