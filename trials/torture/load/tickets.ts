// Tickets — counters that only ids keep from counting twice.
//
// Call `n` of a ticket has an id, so its reply is `n` whenever it is made: for the first time, or
// again because a thread or the whole process has died before it was answered.

import { idOf, type LoadOrder, msOf, ticketNames, windows } from "../orders.js";
import { insist, type Load, type Report, type Tortured, Window } from "./client.js";

/** Says what is there. */
export async function findTickets(runtime: Tortured, report: Report): Promise<void> {
  for await (const [key, count] of runtime.store("tickets").entries()) {
    report.say(`found tickets ${key} ${count}`);
  }
}

/** Takes the next ticket again and again; each reply must be its number. */
export async function loadTickets(load: Load, order: LoadOrder): Promise<void> {
  await Promise.all(ticketNames.map((key) => take(load, key, order)));
}

async function take({ runtime, report }: Load, key: string, order: LoadOrder): Promise<void> {
  const { next: first, againMs } = order.tickets[key] ?? { next: 1, againMs: [] };
  const again = first - againMs.length;
  const call = async (n: number): Promise<void> => {
    const ms = againMs[n - again] ?? msOf(n, first, order.fromMs);
    const store = runtime.store("tickets").once(idOf(key, n, ms));
    const count = await store.update("add", key);
    if (count < n) report.bad("lost", `${key}: ticket ${n} was given the number ${count}`);
    if (count > n) report.bad("duplicated", `${key}: ticket ${n} was given the number ${count}`);
    report.say(`ack tickets ${key} ${n}`);
  };
  // Of the life before: some of them were answered, some were not.
  let next = again;
  for (; next < first; next += 1) if (!(await insist(() => call(next)))) return;
  for (;;) {
    const window = new Window(report, windows.tickets);
    const open = new Set<number>();
    for (; !window.isFrozen(key); next += 1) {
      const n = next;
      open.add(n);
      window.begin(key, async () => {
        await call(n);
        open.delete(n);
      });
      await window.room();
    }
    await window.empty();
    // Their order is that of their numbers: one after the other.
    for (const n of open) if (!(await insist(() => call(n)))) return;
  }
}
