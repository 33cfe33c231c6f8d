// Open waits — which operations of which rows of a task may wait, in memory: a turn has no lists.

import type { TaskPort } from "../../runtime/task-program.js";
import type { InvocationId } from "../wire/invocation-id.js";
import type { WaitPlace } from "../wire/wait-fields.js";
import { decodeWait, isForOutcome, waitKey, waitTable } from "./wait-rows.js";

export class OpenWaits {
  readonly #port: TaskPort;
  /** By row: those that wait are here, some have ended. Most wait for one thing at a time. */
  readonly #indexes = new Map<number, number | readonly number[]>();

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** The invocations whose outcome or next step a row waits for, as committed. */
  childrenOf(arrivalNo: number): readonly InvocationId[] {
    return this.of(arrivalNo).flatMap((index) => {
      const row = this.#port.get(waitTable, waitKey({ arrivalNo, index }));
      const wanted = row === undefined ? undefined : decodeWait(row).wanted;
      return wanted !== undefined && isForOutcome(wanted) ? [wanted.child] : [];
    });
  }

  of(arrivalNo: number): readonly number[] {
    const indexes = this.#indexes.get(arrivalNo) ?? [];
    return typeof indexes === "number" ? [indexes] : indexes;
  }

  add({ arrivalNo, index }: WaitPlace): void {
    const indexes = this.of(arrivalNo);
    if (indexes.includes(index)) return;
    this.#indexes.set(arrivalNo, indexes.length === 0 ? index : [...indexes, index]);
  }

  /** A wait has ended for good. */
  remove({ arrivalNo, index }: WaitPlace): void {
    const indexes = this.of(arrivalNo).filter((other) => other !== index);
    if (indexes.length === 0) this.#indexes.delete(arrivalNo);
    else this.#indexes.set(arrivalNo, indexes);
  }

  /** A row is gone. */
  removeAll(arrivalNo: number): void {
    this.#indexes.delete(arrivalNo);
  }
}
