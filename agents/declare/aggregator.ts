// Aggregator — how the inputs of a gather become one state, one after the other.
//
// Owns: what every aggregator is (an initial value, a step, a check of what is emitted to it), the
// end of a scope before its time, and the aggregators that users make of their own functions.
// Leaves to others: the built-in ones (aggregators.ts), when inputs are folded and what is kept
// of them (the home task).
//
// Invariants:
//   A1. `init` gives a value that nothing else refers to; `step` may change the state it is given
//       and return it, so whoever calls it has no other use for the old one.
//   A2. `check` runs where an input is emitted: an input that is recorded is a sound one.

import { PartitaError } from "../../base/errors.js";
import { isName, nameRule } from "../../base/name.js";
import { show } from "../../base/show.js";
import { checkSchema, type Schema, type, validate } from "../../store/schema.js";
import { decodeMessage, encodeMessage } from "../wire/wire-field.js";

declare const aggregatorTypes: unique symbol;

/** Where an aggregator keeps what it does. */
const aggregatorDefinition: unique symbol = Symbol.for("partita.aggregator");
const finishedBrand: unique symbol = Symbol.for("partita.finished");

/** How what is emitted to a gather (`Input`) becomes what its function gets (`State`). */
export interface Aggregator<Input, State> {
  readonly kind: "aggregator";
  readonly [aggregatorDefinition]: unknown;
  /** Types only; never set. */
  readonly [aggregatorTypes]?: { readonly input: Input; readonly state: State };
}

/** What a step returns to end its scope early. Made by `finished`. */
export interface Finished<State> {
  readonly state: State;
  readonly [finishedBrand]: true;
}

/** An aggregator as the tasks use it. */
export interface AggregatorDefinition {
  readonly name: string;
  /** A fresh initial value (A1). */
  readonly init: () => unknown;
  /** The state with one input more, or `finished(state)`. */
  readonly step: (state: unknown, input: unknown) => unknown;
  /**
   * The input as it is recorded: what a schema has filled in, or stripped.
   * @throws PartitaError SCHEMA_INVALID, SCHEMA_ASYNC, TAG_UNKNOWN
   */
  readonly check: (input: unknown, where: string) => unknown;
  /** What is wrong with how it was declared. */
  readonly problems: readonly AggregatorProblem[];
}

/** One thing that is wrong with an aggregator. */
export interface AggregatorProblem {
  readonly code: "OPTION_INVALID" | "SCHEMA_INVALID" | "NAME_INVALID";
  readonly message: string;
  readonly valid: readonly string[];
}

/**
 * Returned by a step: the scope has its state. The gather function runs at once; inputs that come
 * later are ignored, and nothing that still runs is stopped.
 */
export function finished<State>(state: State): Finished<State> {
  return Object.freeze({ state, [finishedBrand]: true as const });
}

/** Whether a step has ended its scope: a state that merely looks like it is a state. */
export function isFinished(value: unknown): value is Finished<unknown> {
  return typeof value === "object" && value !== null && finishedBrand in value;
}

/**
 * An aggregator of your own: `init` gives the state before the first input, `step` the one behind
 * each. Both must be pure but for the state that `step` is given, which it may change and return;
 * they can run again. With `input` what is emitted is checked; without, its type is that of the
 * step's second parameter.
 *
 *     collect: accumulate(() => 0, (longest, word: string) => Math.max(longest, word.length))
 */
export function accumulate<Input, State, Given = Input>(
  init: () => State,
  step: (state: State, input: Input) => State | Finished<State>,
  input: Schema<Input, Given> = type<Input>() as unknown as Schema<Input, Given>, // cast: any type
): Aggregator<Given, State> {
  const problems = [
    ...functionProblems("accumulate", "init", init),
    ...functionProblems("accumulate", "step", step),
    ...schemaProblems("accumulate", input),
  ];
  return aggregator({ name: "accumulate", init, step, check: checkedBy(input), problems });
}

/**
 * An aggregator whose state is like its inputs: it begins with `zero`, of which every scope gets a
 * copy of its own, and `fn` joins two into one.
 *
 *     collect: combine(1, (product, factor) => product * factor)
 */
export function combine<T, Given = T>(
  zero: T,
  fn: (state: T, input: T) => T | Finished<T>,
  input: Schema<T, Given> = type<T>() as unknown as Schema<T, Given>, // cast: any type
): Aggregator<Given, T> {
  const where = "zero of combine";
  const problems = [
    ...functionProblems("combine", "fn", fn),
    ...schemaProblems("combine", input),
    ...valueProblems("combine", "zero", zero),
  ];
  const bytes = problems.length > 0 ? new Uint8Array(0) : encodeMessage(zero, where);
  const init = (): unknown => decodeMessage(bytes);
  return aggregator({ name: "combine", init, step: fn, check: checkedBy(input), problems });
}

/** What is emitted to a `multi`: a tag, and the value that the step of that tag takes, if any. */
export type TaggedInput<On> = {
  readonly [Tag in keyof On & string]: TaggedWith<Tag, On[Tag]>;
}[keyof On & string];

type TaggedWith<Tag extends string, Step> = Step extends (
  state: never,
  ...values: infer Values
) => unknown
  ? Values extends readonly []
    ? { readonly tag: Tag; readonly value?: undefined }
    : Values extends readonly [infer Value]
      ? { readonly tag: Tag; readonly value: Value }
      : Values extends readonly [value?: infer Value]
        ? { readonly tag: Tag; readonly value?: Value | undefined }
        : { readonly tag: Tag; readonly value?: undefined }
  : never;

/** Steps by tag. */
export type TaggedSteps<State> = Readonly<
  Record<string, (state: State, value: never) => State | Finished<State>>
>;

/**
 * An aggregator for inputs of several kinds, told apart by a tag: `ctx.emit("summary", { tag:
 * "failed", value: file })`.
 *
 *     collect: multi({
 *       init: () => ({ done: 0, failed: [] as string[] }),
 *       on: {
 *         done: (state) => ({ ...state, done: state.done + 1 }),
 *         failed: (state, file: string) => ({ ...state, failed: [...state.failed, file] }),
 *       },
 *     })
 *
 * An input with another tag is refused where it is emitted, with TAG_UNKNOWN and the tags there
 * are.
 */
export function multi<State, const On extends TaggedSteps<State>>(options: {
  readonly init: () => State;
  readonly on: On;
}): Aggregator<TaggedInput<On>, State> {
  const given: object = typeof options === "object" && options !== null ? options : {};
  const init: unknown = Reflect.get(given, "init");
  const on: unknown = Reflect.get(given, "on");
  const steps = new Map<string, unknown>(
    typeof on === "object" && on !== null ? Object.entries(on) : [],
  );
  const problems = [
    ...functionProblems("multi", "init", init),
    ...tagProblems(steps),
    ...Object.keys(given)
      .filter((option) => option !== "init" && option !== "on")
      .map((option) => problem(`multi() has no option "${option}"`, ["init", "on"])),
  ];
  // cast: found to be functions, or else the topology is refused and nothing is called
  const known = steps as ReadonlyMap<string, (state: unknown, value: unknown) => unknown>;
  return aggregator({
    name: "multi",
    // cast: as above
    init: init as () => unknown,
    step: (state, input) => {
      // cast: `check` has let through nothing else (A2)
      const { tag, value } = input as { readonly tag: string; readonly value?: unknown };
      return known.get(tag)?.(state, value);
    },
    check: (input, where) => checkTagged(input, where, [...known.keys()]),
    problems,
  });
}

/** The declaration of an aggregator. */
export function aggregator<Input, State>(
  definition: Omit<AggregatorDefinition, "step"> & {
    readonly step: (state: never, input: never) => unknown;
  },
): Aggregator<Input, State> {
  return Object.freeze({ kind: "aggregator", [aggregatorDefinition]: Object.freeze(definition) });
}

/** What an aggregator does; `undefined` for whatever is none. */
export function aggregatorOf(value: unknown): AggregatorDefinition | undefined {
  if (typeof value !== "object" || value === null || !(aggregatorDefinition in value)) return;
  // cast: only `aggregator` sets the symbol
  return value[aggregatorDefinition] as AggregatorDefinition;
}

/** A check by a schema. */
export function checkedBy(schema: Schema<unknown, unknown>): AggregatorDefinition["check"] {
  return (input, where) => validate(schema, input, where);
}

/** What is wrong with a schema that an aggregator was given. */
export function schemaProblems(of: string, schema: unknown): readonly AggregatorProblem[] {
  try {
    checkSchema(schema, of, "schema");
    return [];
  } catch (error) {
    if (!PartitaError.is(error, "OPTION_INVALID")) throw error;
    const message = `${of}() was given ${error.details.value} for a schema`;
    return [{ code: "SCHEMA_INVALID", message, valid: [error.details.valid] }];
  }
}

function functionProblems(of: string, name: string, fn: unknown): readonly AggregatorProblem[] {
  if (typeof fn === "function") return [];
  return [problem(`${name} of ${of}() is ${show(fn)}`, ["a function"])];
}

function valueProblems(of: string, name: string, value: unknown): readonly AggregatorProblem[] {
  try {
    encodeMessage(value, `${name} of ${of}`);
    return [];
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    return [problem(error.message, ["a value that can be stored"])];
  }
}

function tagProblems(steps: ReadonlyMap<string, unknown>): readonly AggregatorProblem[] {
  const valid = ["{ added: (state, value: number) => state + value }"];
  if (steps.size === 0) return [problem("multi() has no tags", valid)];
  return [...steps].flatMap(([tag, step]) => [
    ...(isName(tag)
      ? []
      : [
          {
            code: "NAME_INVALID" as const,
            message: `the tag ${show(tag)} is no name`,
            valid: [nameRule],
          },
        ]),
    ...functionProblems("multi", `"${tag}"`, step),
  ]);
}

function problem(message: string, valid: readonly string[]): AggregatorProblem {
  return { code: "OPTION_INVALID", message, valid };
}

function checkTagged(input: unknown, where: string, known: readonly string[]): unknown {
  const isTagged = typeof input === "object" && input !== null && "tag" in input;
  if (!isTagged) {
    const issues = [{ path: "$", message: `expected { tag, value }, got ${show(input)}` }];
    throw new PartitaError("SCHEMA_INVALID", { where, issues });
  }
  const { tag } = input;
  if (typeof tag !== "string" || !known.includes(tag)) {
    throw new PartitaError("TAG_UNKNOWN", { where, tag: show(tag), known });
  }
  return "value" in input && input.value !== undefined ? { tag, value: input.value } : { tag };
}
