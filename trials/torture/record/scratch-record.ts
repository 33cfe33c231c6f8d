// Scratch record — what the scratch store must hold: what was put since it was cleared.
//
// A clear goes over the tasks one by one. While one is under way, a row of its round may be there
// or not; nothing of a round before it may.

import type { Bad, Part } from "./part.js";

export class ScratchRecord implements Part {
  /** The newest round whose clear was acknowledged. */
  #cleared = 0;
  /** The newest round whose clear was begun. */
  #clearing = 0;
  #newest = 0;
  /** By key: the newest acknowledged round. */
  readonly #puts = new Map<string, number>();
  readonly #found = new Map<string, number>();

  ack([what = "", first = "", second = ""]: readonly string[]): void {
    if (what === "put") {
      this.#puts.set(first, Number(second));
      this.#newest = Number(second);
    } else if (what === "clearing") this.#clearing = Number(first);
    else this.#cleared = Number(first);
  }

  found([key = "", round = ""]: readonly string[]): void {
    this.#found.set(key, Number(round));
  }

  judge(bad: Bad): void {
    // The round behind the newest: its puts may have been under way.
    const last = Math.max(this.#newest, this.#clearing) + 1;
    for (const [key, round] of this.#found) {
      if (round <= this.#cleared) bad("lost", `scratch ${key}: round ${round} was cleared`);
      if (round > last) bad("torn", `scratch ${key}: nobody has put round ${round}`);
    }
    for (const [key, round] of this.#puts) {
      const found = this.#found.get(key) ?? 0;
      if (round > this.#clearing && found < round) {
        bad("lost", `scratch ${key}: round ${round} was put, ${found} is there`);
      }
    }
    this.#puts.clear();
    for (const [key, round] of this.#found) this.#puts.set(key, round);
    this.#newest = last;
    this.forget();
  }

  forget(): void {
    this.#found.clear();
  }

  get nextRound(): number {
    return this.#newest + 1;
  }
}
