// Option problems — the checks that options of agents, nodes and objects have in common.
//
// Each adds what it finds under the path of the option, and names what would have been valid.

import { PartitaError } from "../../base/errors.js";
import { isName, nameRule } from "../../base/name.js";
import { show } from "../../base/show.js";
import { checkSchema } from "../../store/schema.js";

/** Takes note of one problem; `path` is relative to what is looked at. */
export type AddProblem = (
  code: string,
  path: string,
  message: string,
  valid?: readonly string[],
) => void;

/** Something with options that can be read by name. */
export type OptionBag = Readonly<Record<string, unknown>>;

/** An object with options; `undefined` for whatever is none. */
export function optionBag(value: unknown): OptionBag | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  // cast: any other object can be read by names
  return value as OptionBag;
}

export function checkName(name: string, at: string, add: AddProblem): void {
  if (!isName(name)) add("NAME_INVALID", at, `${show(name)} is no name`, [nameRule]);
}

export function checkSchemaOption(schema: unknown, at: string, add: AddProblem): void {
  try {
    checkSchema(schema, at, "schema");
  } catch (error) {
    if (!PartitaError.is(error, "OPTION_INVALID")) throw error;
    add("SCHEMA_INVALID", at, `${error.details.value} is no schema`, [error.details.valid]);
  }
}

export function unknownOptions(
  options: OptionBag,
  known: readonly string[],
  prefix: string,
  add: AddProblem,
): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    add("OPTION_UNKNOWN", `${prefix}${option}`, `"${option}" is no option`, known);
  }
}

/** A whole number from `min` to `max`, or nothing. */
export function checkWhole(
  at: string,
  value: unknown,
  { min, max }: { readonly min: number; readonly max: number },
  add: AddProblem,
): void {
  if (value === undefined) return;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return;
  const option = at.slice(at.lastIndexOf(".") + 1);
  const valid = [`a whole number from ${min} to ${max}`];
  add("OPTION_INVALID", at, `${option} is ${show(value)}`, valid);
}

/** One of these, or nothing. */
export function checkOneOf(
  at: string,
  value: unknown,
  valid: readonly unknown[],
  add: AddProblem,
): void {
  if (value === undefined || valid.includes(value)) return;
  const option = at.slice(at.lastIndexOf(".") + 1);
  add("OPTION_INVALID", at, `${option} is ${show(value)}`, valid.map(show));
}
