// Counts record — tickets and inboxes: numbers that go up by one, each from one client.
//
// At least what was acknowledged must be there, at most a window more.

import {
  inboxNames,
  msOf,
  posters,
  ticketNames,
  type TicketsResume,
  updaters,
  windows,
} from "../orders.js";
import type { Inbox } from "../topology.js";
import type { Bad, Part } from "./part.js";

class Counter {
  #acked = 0;
  #found = 0;

  ack(n: number): void {
    this.#acked = Math.max(this.#acked, n);
  }

  found(n: number): void {
    this.#found = n;
  }

  judge(name: string, window: number, bad: Bad): void {
    const acked = this.#acked;
    const found = this.#found;
    if (found < acked) bad("lost", `${name}: ${acked} was acknowledged, ${found} is there`);
    if (found > acked + window) {
      bad("duplicated", `${name}: ${found} is there, of at most ${acked + window}`);
    }
    this.#acked = found;
    this.#found = 0;
  }

  get next(): number {
    return this.#acked + 1;
  }
}

/** Calls for tickets that the next life makes again. */
const againCount = 6;

/** A counter that knows the times in the ids of its newest numbers. */
class TicketCounter extends Counter {
  /** Of the numbers just before `next`, oldest first. */
  #againMs: readonly number[] = [];
  #from = { next: 1, ms: 0 };

  override judge(name: string, window: number, bad: Bad): void {
    super.judge(name, window, bad);
    const { next, ms } = this.#from;
    const taken = Math.max(0, this.next - next);
    const fresh = Array.from({ length: Math.min(taken, againCount) }, (_, back) => {
      return msOf(this.next - 1 - back, next, ms);
    });
    this.#againMs = [...this.#againMs, ...fresh.reverse()].slice(-againCount);
  }

  resume(ms: number): TicketsResume {
    this.#from = { next: this.next, ms };
    return { next: this.next, againMs: this.#againMs };
  }
}

export class TicketsRecord implements Part {
  readonly #counters = new Map(ticketNames.map((key) => [key, new TicketCounter()]));

  ack([key = "", n = ""]: readonly string[]): void {
    this.#counters.get(key)?.ack(Number(n));
  }

  found([key = "", n = ""]: readonly string[]): void {
    this.#counters.get(key)?.found(Number(n));
  }

  judge(bad: Bad): void {
    for (const [key, counter] of this.#counters) counter.judge(key, windows.tickets, bad);
  }

  forget(): void {
    for (const counter of this.#counters.values()) counter.found(0);
  }

  /** A life loads since `ms`. */
  resume(ms: number): Readonly<Record<string, TicketsResume>> {
    const counters = Array.from(this.#counters, ([key, counter]) => [key, counter.resume(ms)]);
    return Object.fromEntries(counters);
  }
}

export class InboxesRecord implements Part {
  readonly #counters = new Map(
    inboxNames.flatMap((inbox) =>
      [...updaters, ...posters].map((sender) => [`${inbox} ${sender}`, new Counter()]),
    ),
  );
  readonly #repeats = new Map<string, number>();
  readonly #found = new Map<string, Inbox>();
  readonly #strict: boolean;

  /** `strict`: the store operations of nodes are remembered, so nothing may come twice. */
  constructor(strict: boolean) {
    this.#strict = strict;
  }

  ack([inbox = "", sender = "", n = ""]: readonly string[]): void {
    this.#counters.get(`${inbox} ${sender}`)?.ack(Number(n));
  }

  found([name = "", json = ""]: readonly string[]): void {
    // cast: the child writes a row of this store.
    const inbox = JSON.parse(json) as Inbox;
    this.#found.set(name, inbox);
    for (const [sender, n] of Object.entries(inbox.last)) {
      this.#counters.get(`${name} ${sender}`)?.found(n);
    }
  }

  judge(bad: Bad): void {
    for (const [name, { breaks, repeats }] of this.#found) {
      if (breaks > 0) bad("reordered", `${name}: ${breaks} came out of order`);
      const before = this.#repeats.get(name) ?? 0;
      if (this.#strict && repeats > before) {
        bad("duplicated", `${name}: ${repeats - before} came twice`);
      }
      this.#repeats.set(name, repeats);
    }
    for (const [name, counter] of this.#counters) counter.judge(name, windows.inboxes, bad);
    this.#found.clear();
  }

  forget(): void {
    this.#found.clear();
    for (const counter of this.#counters.values()) counter.found(0);
  }

  resume(): Readonly<Record<string, number>> {
    return Object.fromEntries(Array.from(this.#counters, ([name, { next }]) => [name, next]));
  }
}
