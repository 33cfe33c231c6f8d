// Made histories — operations on one register as a correct one could have answered them, and ways
// to spoil them, for the tests of the history checkers.

import fc from "fast-check";
import type { ModelOperation, SequentialModel, VersionedOperation } from "../../testing/index.js";

/** One planned operation; its effect is at `start + within`, its end at `start + duration`. */
export interface Planned {
  readonly kind: "read" | "write";
  readonly start: number;
  readonly duration: number;
  /** Which part of the duration is over when it takes effect. */
  readonly within: number;
  /** `applied` and `dropped` never return: the outcome is unknown to the caller. */
  readonly fate: "returned" | "applied" | "dropped";
}

/** Plans of `count` operations, many of which overlap. */
export function plans(count: number, span = 60): fc.Arbitrary<readonly Planned[]> {
  const planned = fc.record({
    kind: fc.constantFrom("read" as const, "write" as const),
    start: fc.nat(span),
    duration: fc.nat(25),
    within: fc.double({ min: 0, max: 1, noNaN: true }),
    fate: fc.oneof(
      { weight: 8, arbitrary: fc.constant("returned" as const) },
      { weight: 1, arbitrary: fc.constantFrom("applied" as const, "dropped" as const) },
    ),
  });
  return fc.array(planned, { minLength: 1, maxLength: count });
}

/** What a register answers to the plan. `marked`: values name their write. */
export function perform(
  plan: readonly Planned[],
  marked: boolean,
  key = "k",
): VersionedOperation[] {
  let version = 0;
  let value: string | undefined;
  const effects = plan
    .map((planned, index) => ({ planned, index }))
    .sort((one, other) => effectAt(one.planned) - effectAt(other.planned));
  return effects.map(({ planned: { kind, start, duration, fate }, index }) => {
    const isWrite = kind === "write";
    if (isWrite && fate !== "dropped") {
      version += 1;
      value = `w${index}`;
    }
    const isKnown = fate === "returned";
    const own = isWrite && !isKnown ? `w${index}` : value;
    return {
      kind,
      key,
      version: isKnown ? version : undefined,
      ...(marked && own !== undefined ? { value: own } : {}),
      invoked: start,
      returned: isKnown ? start + duration : Number.POSITIVE_INFINITY,
    };
  });
}

function effectAt({ start, duration, within }: Planned): number {
  return start + duration * within;
}

interface Register {
  readonly version: number;
  readonly value: string;
}

/** What is asked of a register: to write a value, or nothing but to read. */
export interface RegisterInput {
  readonly write?: string;
}

/** A register whose writes and reads both answer with what it then holds. */
export const register: SequentialModel<Register, RegisterInput, Register> = {
  init: { version: 0, value: "" },
  step(state, { write }) {
    const next = write === undefined ? state : { version: state.version + 1, value: write };
    return { state: next, output: next };
  },
};

/** The same operations for a search with `register`; reads without an outcome are left out. */
export function asCalls(
  history: readonly VersionedOperation[],
): ModelOperation<RegisterInput, Register>[] {
  return history
    .filter(({ kind, returned }) => kind === "write" || returned !== Number.POSITIVE_INFINITY)
    .map(({ kind, version, value, key, invoked, returned }) => {
      const mark = value === undefined ? "" : String(value);
      const input = kind === "write" ? { write: mark } : {};
      const output = { version: version ?? 0, value: mark };
      return { input, output, key, invoked, returned };
    });
}

/** A register without versions: what search must find out by itself. */
export const plainRegister: SequentialModel<number, "read" | number, number | undefined> = {
  init: 0,
  step: (state, input) => {
    return input === "read" ? { state, output: state } : { state: input, output: undefined };
  },
};

/** Whether some order explains all answers, by trying all of them. */
export function explainedByTrying<State, Input, Output>(
  operations: readonly ModelOperation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
): boolean {
  const isOver = ({ returned }: { readonly returned: number }) =>
    returned < Number.POSITIVE_INFINITY;
  const { same = Object.is } = model;
  const goesOn = (state: State, left: readonly ModelOperation<Input, Output>[]): boolean =>
    !left.some(isOver) ||
    left.some((operation) => {
      if (left.some(({ returned }) => returned < operation.invoked)) return false;
      const { state: next, output } = model.step(state, operation.input);
      // cast: an operation that has returned has an output
      if (isOver(operation) && !same(output, operation.output as Output)) return false;
      return goesOn(
        next,
        left.filter((one) => one !== operation),
      );
    });
  return goesOn(model.init, operations);
}

/** Reads that may not see what they saw: one for each way to spoil one of the reads. */
export function spoilt(
  history: readonly VersionedOperation[],
  how: "stale" | "future",
): VersionedOperation[][] {
  const writes = history.filter(({ kind, version }) => kind === "write" && version !== undefined);
  return history.flatMap((read, index) => {
    if (read.kind !== "read" || read.version === undefined) return [];
    const over = writes.filter(({ returned }) => returned < read.invoked);
    const floor = Math.max(0, ...over.map(({ version }) => version ?? 0));
    const others = how === "stale" ? olderThan(floor, writes) : startedAfter(read, writes);
    return others.map(({ version, value }) => {
      const changed = { ...read, version, ...(value === undefined ? {} : { value }) };
      return history.with(index, changed);
    });
  });
}

function olderThan(
  floor: number,
  writes: readonly VersionedOperation[],
): readonly VersionedOperation[] {
  return writes.filter(({ version = 0 }) => version < floor);
}

function startedAfter(
  read: VersionedOperation,
  writes: readonly VersionedOperation[],
): readonly VersionedOperation[] {
  return writes.filter(({ invoked }) => invoked > read.returned);
}
