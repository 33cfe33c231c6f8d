// Registers record — what the registers must hold, given what was acknowledged.
//
// A register has one writer, whose writes take effect in the order of their numbers. So what must
// be there is the outcome of the newest acknowledged write, or of one of those that were under way
// behind it: at most a window of them. Without an acknowledgement in this life it may also be what
// was there when it began.

import { mark } from "../body.js";
import { isDelete, type LoadOrder, registerNames, windows } from "../orders.js";
import type { Bad, Part } from "./part.js";

interface KnownRegister {
  /** What was there at the beginning of this life; 0 for nothing. */
  base: number;
  /** The first number of this life. */
  first: number;
  /** The newest acknowledged number; 0 for none in this life. */
  acked: number;
}

interface Found {
  readonly n: number;
  readonly breaks: number;
  readonly whole: boolean;
}

export class RegistersRecord implements Part {
  readonly #known = new Map(
    registerNames.map((key): [string, KnownRegister] => [key, { base: 0, first: 1, acked: 0 }]),
  );
  readonly #found = new Map<string, Found>();

  ack([key = "", n = ""]: readonly string[]): void {
    const known = this.#known.get(key);
    // Who looks on may also see what was there before this life.
    if (known !== undefined && Number(n) >= known.first) {
      known.acked = Math.max(known.acked, Number(n));
    }
  }

  found([key = "", n = "", breaks = "", whole = ""]: readonly string[]): void {
    this.#found.set(key, { n: Number(n), breaks: Number(breaks), whole: whole === "1" });
  }

  judge(bad: Bad): void {
    for (const [key, known] of this.#known) {
      const { n, breaks, whole } = this.#found.get(key) ?? { n: 0, breaks: 0, whole: true };
      if (!whole) bad("torn", `${key}: the body of ${n} is not whole`);
      if (breaks > 0) bad("reordered", `${key}: ${breaks} writes did not find their predecessor`);
      judgeNumber(key, known, n, bad);
      const last = Math.max(known.first - 1, known.acked + windows.registers);
      this.#known.set(key, { base: n, first: last + windows.registers + 1, acked: 0 });
    }
    this.forget();
  }

  forget(): void {
    this.#found.clear();
  }

  resume(): LoadOrder["registers"] {
    return Object.fromEntries(
      Array.from(this.#known, ([key, { base, first }]) => [key, { next: first, after: base }]),
    );
  }
}

function judgeNumber(key: string, known: KnownRegister, n: number, bad: Bad): void {
  const { base, first, acked } = known;
  const newest = Math.max(acked, first - 1) + windows.registers;
  if (acked === 0 && n === base) return;
  const oldest = acked === 0 ? first : acked;
  if (n === 0) {
    for (let one = oldest; one <= newest; one += 1) if (isDelete(mark(key, one))) return;
    bad("lost", `${key}: ${acked || base} was acknowledged, nothing is there`);
  } else if (n < oldest) {
    bad("lost", `${key}: ${acked || base} was acknowledged, ${n} is there`);
  } else if (n > newest) {
    bad("torn", `${key}: ${n} is there, which nobody can have written: ${newest} was the last`);
  } else if (isDelete(mark(key, n))) {
    bad("torn", `${key}: ${n} is there, which is the number of a delete`);
  }
}
