// Value trace — where a walk through a value stands, what it may still spend, and its refusals.
//
// Owns: path, depth and size of the walk in hand. Leaves to others: what is carried (value-walk.ts
// for containers, value-leaves.ts for the rest).

import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { show, showKind } from "../base/show.js";
import { findCycle } from "./value-cycle.js";
import { pathText, type StepKind, step, stepText } from "./value-path.js";

/** One walk at a time; kept and used again, so that a walk without a refusal allocates nothing. */
export class ValueTrace {
  #where = "";
  #root: unknown;
  #bytesLeft = 0;
  #depth = 0;
  /** Step i leads from depth i to depth i + 1; valid below `#depth`. */
  readonly #kinds: StepKind[] = [];
  readonly #keys: unknown[] = [];

  /** A walk begins at `root`. `where` names the operation in errors. */
  begin(root: unknown, where: string): void {
    this.#where = where;
    this.#root = root;
    this.#bytesLeft = limits.valueBytesMax;
    this.#depth = 0;
  }

  /** The walk is over. */
  end(): void {
    this.#root = undefined;
  }

  /** Into a container. @throws PartitaError VALUE_CYCLIC, VALUE_TOO_DEEP */
  enter(kind: StepKind): void {
    if (this.#depth === limits.valueDepthMax) throw this.#tooDeep();
    this.#kinds[this.#depth] = kind;
    this.#depth += 1;
  }

  /** Out of the container entered last. */
  leave(): void {
    this.#depth -= 1;
    // A Map's key can be an object, which must not be kept alive by this.
    this.#keys[this.#depth] = undefined;
  }

  /** To what `key` leads to in the container entered last. */
  at(key: unknown): void {
    this.#keys[this.#depth - 1] = key;
  }

  /** The same by another kind of step: a Map has two. */
  atBy(kind: StepKind, key: unknown): void {
    this.#kinds[this.#depth - 1] = kind;
    this.#keys[this.#depth - 1] = key;
  }

  /**
   * Counts bytes that the encoded value will take at least. @throws PartitaError VALUE_TOO_LARGE
   */
  spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) {
      throw valueTooLarge(this.#where, limits.valueBytesMax - this.#bytesLeft);
    }
  }

  /** The refusal of what stands at the walk's place; `up` 1 when it was entered already. */
  unsupported(value: unknown, reason: string, up = 0): PartitaError<"VALUE_UNSUPPORTED"> {
    return new PartitaError("VALUE_UNSUPPORTED", this.#details(value, reason, up));
  }

  /** The refusal of a value whose own code threw `cause` while it was looked at. */
  threw(cause: unknown): PartitaError<"VALUE_UNSUPPORTED"> {
    const reason = `looking at it threw ${show(cause)}`;
    return new PartitaError("VALUE_UNSUPPORTED", this.#details(this.#root, reason, 0), { cause });
  }

  #details(
    value: unknown,
    reason: string,
    up: number,
  ): { where: string; path: string; value: string; reason: string } {
    const shown = typeof value === "object" ? showKind(value) : show(value);
    return { where: this.#where, path: this.#path(this.#depth - up), value: shown, reason };
  }

  #path(depth: number): string {
    const steps: string[] = [];
    for (let index = 0; index < depth; index += 1) {
      steps.push(stepText(this.#kinds[index] ?? step.property, this.#keys[index]));
    }
    return pathText(steps);
  }

  #tooDeep(): PartitaError {
    const where = this.#where;
    const root = this.#root;
    const cycle = typeof root === "object" && root !== null ? findCycle(root) : undefined;
    if (cycle !== undefined) return new PartitaError("VALUE_CYCLIC", { where, path: cycle });
    const { valueDepthMax } = limits;
    const path = this.#path(this.#depth);
    return new PartitaError("VALUE_TOO_DEEP", { where, path, valueDepthMax });
  }
}

export function valueTooLarge(where: string, valueBytes: number): PartitaError<"VALUE_TOO_LARGE"> {
  const { valueBytesMax } = limits;
  return new PartitaError("VALUE_TOO_LARGE", { where, valueBytes, valueBytesMax });
}
