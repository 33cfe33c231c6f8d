// Schema — what a value must look like, checked where it enters: any Standard Schema, or only a
// type.
//
// Owns: running a schema and turning what it says into coded errors. Leaves to others: schemas
// themselves (zod, valibot, arktype, …), classes (class-registry.ts), bytes (value.ts).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { SchemaIssueDetails } from "../base/error-codes.js";
import { PartitaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";
import { pathText, step, stepText } from "./value-path.js";

/**
 * A Standard Schema v1 for values of type `T`: one of zod, valibot, arktype and others,
 * `type<T>()`, or `instanceOf(...)`. What it returns is what is kept, so defaults and stripped
 * properties are applied. `Input` is what it accepts. It must be synchronous.
 */
export interface Schema<T, Input = T> extends StandardSchemaV1<Input, T> {}

/** The type of the values of a schema. */
export type SchemaValue<S> = S extends Schema<infer T, infer _Input> ? T : never;

const unchecked: Schema<unknown> = Object.freeze({
  "~standard": Object.freeze({
    version: 1 as const,
    vendor: "partita",
    validate: (value: unknown) => ({ value }),
  }),
});

/**
 * A schema that checks nothing at run time and gives values the type `T`: `type<number>()`. What
 * cannot be carried without a change is refused all the same.
 */
export function type<T>(): Schema<T> {
  // cast: it accepts every value, so it is a schema of any type
  return unchecked as Schema<T>;
}

/**
 * Refuses what is no Standard Schema. `where` names the operation, `option` the option.
 * @throws PartitaError OPTION_INVALID
 */
export function checkSchema(schema: unknown, where: string, option: string): void {
  // Schemas of arktype are functions.
  const holder = typeof schema === "function" || typeof schema === "object" ? schema : null;
  const standard: unknown = holder === null ? null : Reflect.get(holder, "~standard");
  const valid =
    typeof standard === "object" &&
    standard !== null &&
    "validate" in standard &&
    typeof standard.validate === "function";
  if (valid) return;
  const rule = "a Standard Schema (zod, valibot, arktype, …), type<T>() or instanceOf(...)";
  throw optionInvalid(where, option, schema, rule);
}

/**
 * The value as `schema` has it: checked, with what the schema fills in or strips. `where` names the
 * operation in errors. Costs nothing with `type<T>()`.
 * @throws PartitaError SCHEMA_INVALID with the path and message of each issue, and as its cause
 *   what the schema threw, if it threw
 * @throws PartitaError SCHEMA_ASYNC when the schema answers with a promise (zod does when a check
 *   of the user's throws)
 */
export function validate<T>(schema: Schema<T, unknown>, value: unknown, where: string): T {
  // cast: `unchecked` is only ever handed out by `type<T>()`, which says so
  if (schema === unchecked) return value as T;
  const outcome = run(schema, value, where);
  if (outcome === "later") {
    throw new PartitaError("SCHEMA_ASYNC", { where, vendor: schema["~standard"].vendor });
  }
  if ("value" in outcome) return outcome.value;
  throw new PartitaError("SCHEMA_INVALID", { where, issues: outcome.issues });
}

type Outcome<T> = { readonly value: T } | { readonly issues: SchemaIssueDetails[] } | "later";

/** Looks at all that the schema says: what it gets wrong is as much its own as what it throws. */
function run<T>(schema: Schema<T, unknown>, value: unknown, where: string): Outcome<T> {
  try {
    const result = schema["~standard"].validate(value);
    // Schemas of users' own may say anything.
    const answer: unknown = result;
    if (typeof answer !== "object" || answer === null) {
      throw new TypeError(`it answered ${show(answer)}, which says neither value nor issues`);
    }
    // Not `instanceof Promise`: it may be one of another realm.
    if ("then" in result) {
      // Nobody waits for it: its failure must not become an unhandled rejection.
      Promise.resolve(result).catch(() => undefined);
      return "later";
    }
    if (result.issues === undefined) return { value: result.value };
    return { issues: result.issues.slice(0, limits.schemaIssuesMax).map(issueDetails) };
  } catch (cause) {
    const issues = [{ path: "$", message: `the schema threw ${show(cause)}` }];
    throw new PartitaError("SCHEMA_INVALID", { where, issues }, { cause });
  }
}

function issueDetails(issue: StandardSchemaV1.Issue): SchemaIssueDetails {
  // Not `map`: arktype's paths are arrays of a class of their own, and would make another one.
  const steps = Array.from(issue.path ?? [], (part) => {
    const key = typeof part === "object" ? part.key : part;
    return stepText(typeof key === "number" ? step.index : step.property, key);
  });
  const message: unknown = issue.message;
  return { path: pathText(steps), message: typeof message === "string" ? message : show(message) };
}
