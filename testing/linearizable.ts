// Linearizable — whether what callers saw of each key can be explained by operations that happened
// one at a time, each at an instant between its call and its return.
//
// Two forms, by what the history holds: operations with versions are checked in linear time
// (versioned-history.ts), operations with a model by a bounded search (model-search.ts). Neither
// throws because of what it finds; `assertLinearizable` does.

import { checkOptionNames, optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";
import {
  assertTimes,
  type ModelOperation,
  type SequentialModel,
  searchOrder,
  shownCall,
} from "./model-search.js";
import { assertHolds, Findings, type Verdict, violationsKept } from "./verdict.js";
import {
  checkVersions,
  type VersionedOperation,
  type VersionedOptions,
} from "./versioned-history.js";

/** Options of a check with a model. */
export interface ModelOptions<State, Input, Output> {
  readonly model: SequentialModel<State, Input, Output>;
  /**
   * Steps of the model after which the search is given up, over all keys: bounds time and memory.
   * Default 1,000,000, a few seconds.
   */
  readonly searchStepsMax?: number;
  /** Violations that are kept; the rest are only counted. Default 20. */
  readonly violationsMax?: number;
}

const searchStepsDefault = 1_000_000;

/**
 * Checks reads and writes that carry versions, in linear time: a million operations take about a
 * second. See `VersionedOperation` for what a history holds; operations may come in any order.
 *
 * @throws PartitaError OPTION_INVALID for what is no history (a return before its call, a version
 *   that is no whole number), OPTION_UNKNOWN
 */
export function checkLinearizable(
  history: Iterable<VersionedOperation>,
  options?: VersionedOptions,
): Verdict<VersionedOperation>;
/**
 * Checks operations against a sequential model: for each key a search for an order that explains
 * all answers. Meant for up to some 40 operations under way at a time; `undecided` when the bound
 * is met first.
 *
 * @throws PartitaError OPTION_INVALID for what is no history, OPTION_UNKNOWN
 */
export function checkLinearizable<State, Input, Output>(
  history: Iterable<ModelOperation<Input, Output>>,
  options: ModelOptions<State, Input, Output>,
): Verdict<ModelOperation<Input, Output>>;
export function checkLinearizable(
  history: Iterable<VersionedOperation> | Iterable<ModelOperation<unknown, unknown>>,
  options: VersionedOptions | ModelOptions<unknown, unknown, unknown> = {},
): Verdict<VersionedOperation> | Verdict<ModelOperation<unknown, unknown>> {
  if ("model" in options) {
    // cast: the overloads pair a model with operations that have inputs
    return checkModel(history as Iterable<ModelOperation<unknown, unknown>>, options);
  }
  checkOptionNames("checkLinearizable", options, ["versions", "initial", "violationsMax"]);
  const { versions } = options;
  if (versions !== undefined && versions !== "dense" && versions !== "increasing") {
    throw optionInvalid("checkLinearizable", "versions", versions, '"dense" or "increasing"');
  }
  const found = new Findings<VersionedOperation>(kept(options.violationsMax));
  // cast: the overloads leave operations with versions here
  const checked = checkVersions(history as Iterable<VersionedOperation>, options, found);
  return found.verdict(checked);
}

/**
 * `checkLinearizable` for a test: throws when a history is not linearizable, or when that could not
 * be decided.
 * @throws AssertionError (node:assert) with a sentence for each violation
 * @throws PartitaError as `checkLinearizable`
 */
export function assertLinearizable(
  history: Iterable<VersionedOperation>,
  options?: VersionedOptions,
): void;
export function assertLinearizable<State, Input, Output>(
  history: Iterable<ModelOperation<Input, Output>>,
  options: ModelOptions<State, Input, Output>,
): void;
export function assertLinearizable(
  history: Iterable<VersionedOperation> | Iterable<ModelOperation<unknown, unknown>>,
  options: VersionedOptions | ModelOptions<unknown, unknown, unknown> = {},
): void {
  // cast: one of the overloads fits, and it is found at run time
  const check = checkLinearizable as (history: unknown, options: unknown) => Verdict<unknown>;
  assertHolds("not linearizable", check(history, options));
}

function checkModel(
  history: Iterable<ModelOperation<unknown, unknown>>,
  options: ModelOptions<unknown, unknown, unknown>,
): Verdict<ModelOperation<unknown, unknown>> {
  checkOptionNames("checkLinearizable", options, ["model", "searchStepsMax", "violationsMax"]);
  const { model, searchStepsMax = searchStepsDefault } = options;
  if (typeof model?.step !== "function") {
    throw optionInvalid("checkLinearizable", "model", model, "{ init, step }");
  }
  positive("searchStepsMax", searchStepsMax);
  const operations = [...history];
  assertTimes(operations);
  const found = new Findings<ModelOperation<unknown, unknown>>(kept(options.violationsMax));
  let stepsLeft = searchStepsMax;
  for (const [key, ofKey] of byKey(operations)) {
    const { outcome, steps, explained, stuck } = searchOrder(ofKey, model, stepsLeft);
    stepsLeft -= steps;
    const where = key === undefined ? "" : `key ${show(key)}: `;
    if (outcome === "undecided") {
      const message = `${where}given up after ${searchStepsMax} steps, ${ofKey.length} operations`;
      const violations = [{ rule: "undecided", message, operations: ofKey }];
      return { outcome, violations, violationCount: 1, checked: operations.length };
    }
    if (outcome === "holds") continue;
    found.add("no order", [...stuck], () => {
      const last = explained.at(-1);
      const after = last === undefined ? "at the start" : `after ${shownCall(last)}`;
      const calls = stuck.slice(0, 5).map(shownCall).join("; ");
      const more = stuck.length > 5 ? `; and ${stuck.length - 5} more` : "";
      return (
        `${where}no order explains all answers. The longest one explains ${explained.length} of ` +
        `${ofKey.length} and ends ${after}; next must be one of: ${calls}${more}`
      );
    });
  }
  return found.verdict(operations.length);
}

function byKey(
  operations: readonly ModelOperation<unknown, unknown>[],
): Map<string | undefined, ModelOperation<unknown, unknown>[]> {
  const keys = new Map<string | undefined, ModelOperation<unknown, unknown>[]>();
  for (const operation of operations) {
    const ofKey = keys.get(operation.key);
    if (ofKey === undefined) keys.set(operation.key, [operation]);
    else ofKey.push(operation);
  }
  return keys;
}

function kept(violationsMax: number | undefined): number {
  if (violationsMax === undefined) return violationsKept;
  positive("violationsMax", violationsMax);
  return violationsMax;
}

function positive(option: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw optionInvalid("checkLinearizable", option, value, "a whole number of at least 1");
}
