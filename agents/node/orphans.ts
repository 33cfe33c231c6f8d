// Orphans — runs of rows that came to nothing, though their functions may not have returned yet.
//
// Owns: which rows have had one in this life, and waiting for those functions. Leaves to others:
// what makes an orphan (node-runner.ts).

export class Orphans {
  /** Rows whose run came to nothing: the next one replays what it did. */
  readonly #rows = new Set<number>();
  /** By row: resolves when the functions have returned that ran before the newest run. */
  readonly #returned = new Map<number, Promise<void>>();

  has(arrivalNo: number): boolean {
    return this.#rows.has(arrivalNo);
  }

  hasRun(arrivalNo: number): void {
    this.#rows.add(arrivalNo);
  }

  /** A run is over whose function ends later. */
  add(arrivalNo: number, ended: Promise<void>): void {
    const before = this.#returned.get(arrivalNo);
    const all: Promise<void> = Promise.all([before, ended]).then(() => {
      if (this.#returned.get(arrivalNo) === all) this.#returned.delete(arrivalNo);
    });
    this.#returned.set(arrivalNo, all);
  }

  /** Resolves when all of a row's functions have returned; `undefined` when they have. */
  returned(arrivalNo: number): Promise<void> | undefined {
    return this.#returned.get(arrivalNo);
  }

  /** A row is gone. */
  forget(arrivalNo: number): void {
    this.#rows.delete(arrivalNo);
  }
}
