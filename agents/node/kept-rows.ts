// Kept rows — rows of the queue that wait, decoded, so that they need not be read back: within
// `rowsKeptMax` and `rowsKeptBytesMax`.

import type { RunMessage } from "../wire/message.js";

/** What of the queue is held in memory. */
export interface KeptBounds {
  readonly rowsKeptMax: number;
  readonly rowsKeptBytesMax: number;
}

export class KeptRows {
  readonly #bounds: KeptBounds;
  readonly #rows = new Map<number, RunMessage>();
  #bytes = 0;

  constructor(bounds: KeptBounds) {
    this.#bounds = bounds;
  }

  /** Keeps a row, unless there are enough. */
  keep(arrivalNo: number, run: RunMessage): void {
    const { rowsKeptMax, rowsKeptBytesMax } = this.#bounds;
    if (this.#rows.size >= rowsKeptMax || this.#bytes >= rowsKeptBytesMax) return;
    this.#rows.set(arrivalNo, run);
    this.#bytes += run.message.length;
  }

  /** A row that was kept, which is not any more. */
  take(arrivalNo: number): RunMessage | undefined {
    const run = this.#rows.get(arrivalNo);
    if (run === undefined) return undefined;
    this.#rows.delete(arrivalNo);
    this.#bytes -= run.message.length;
    return run;
  }
}
