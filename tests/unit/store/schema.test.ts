// Schemas of every kind a user can bring, and what is said when a value does not fit.

import { runInNewContext } from "node:vm";
import { type as arktype } from "arktype";
import * as v from "valibot";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { limits } from "../../../base/limits.js";
import { checkSchema, type Schema, type, validate } from "../../../store/schema.js";
import { refusalOf } from "../../support/refusal.js";

interface Profile {
  readonly name: string;
  readonly tags: readonly { readonly label: string }[];
}

const schemas: [string, Schema<Profile>][] = [
  ["zod", z.object({ name: z.string(), tags: z.array(z.object({ label: z.string() })) })],
  ["valibot", v.object({ name: v.string(), tags: v.array(v.object({ label: v.string() })) })],
  ["arktype", arktype({ name: "string", tags: arktype({ label: "string" }).array() })],
];

/** A Standard Schema that answers what it is told to. */
function answering(answer: unknown): Schema<unknown> {
  // cast: some of the answers break the standard on purpose
  const validator = (): never => answer as never;
  return { "~standard": { version: 1, vendor: "test", validate: validator } };
}

describe.each(schemas)("schema — %s", (_name, schema) => {
  const good = { name: "ann", tags: [{ label: "x" }] };

  it("takes a value that fits", () => {
    expect(validate(schema, good, "put")).toEqual(good);
  });

  it("names every issue with its path", () => {
    const bad = { name: 7, tags: [{ label: "x" }, { label: null }] };
    const error = refusalOf("SCHEMA_INVALID", () => validate(schema, bad, 'store "p", put'));
    expect(error.details.where).toBe('store "p", put');
    expect(error.details.issues.map((issue) => issue.path).sort()).toEqual([
      "$.name",
      "$.tags[1].label",
    ]);
    for (const issue of error.details.issues) expect(issue.message).not.toBe("");
    expect(error.message).toContain("$.tags[1].label: ");
  });

  it("refuses a value of another type altogether", () => {
    const error = refusalOf("SCHEMA_INVALID", () => validate(schema, "text", "put"));
    expect(error.details.issues[0]?.path).toBe("$");
  });

  it("passes the check of options", () => {
    expect(() => checkSchema(schema, "keyValueStore", "value")).not.toThrow();
  });
});

describe("schema — what it returns is kept", () => {
  it("fills in defaults and strips what is not declared", () => {
    const schema = z.object({ a: z.number().default(1) });
    expect(validate(schema, { b: 2 }, "put")).toEqual({ a: 1 });
  });

  it("returns the very value for a type without checks", () => {
    const value = { any: () => 1 };
    expect(validate(type<object>(), value, "put")).toBe(value);
    expect(type<string>()["~standard"].validate(7)).toEqual({ value: 7 });
  });
});

describe("schema — refusals", () => {
  it("refuses a schema that answers with a promise, which is then nobody's problem", async () => {
    const rejected = vi.fn();
    process.on("unhandledRejection", rejected);
    const late = answering(Promise.reject(new Error("late")));
    const error = refusalOf("SCHEMA_ASYNC", () => validate(late, 1, "put"));
    expect(error.details).toEqual({ where: "put", vendor: "test" });
    const foreign = answering(runInNewContext("Promise.resolve({ value: 1 })"));
    refusalOf("SCHEMA_ASYNC", () => validate(foreign, 1, "put"));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", rejected);
    expect(rejected).not.toHaveBeenCalled();
  });

  it("refuses asynchronous schemas of libraries", () => {
    const schema = v.pipeAsync(
      v.string(),
      v.checkAsync(async () => true),
    );
    refusalOf("SCHEMA_ASYNC", () => validate(schema, "x", "put"));
  });

  it("gives what a schema throws as the cause", () => {
    const boom = new RangeError("boom");
    const schema: Schema<unknown> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate() {
          throw boom;
        },
      },
    };
    const error = refusalOf("SCHEMA_INVALID", () => validate(schema, "x", "put"));
    expect(error.cause).toBe(boom);
    expect(error.details.issues).toEqual([
      { path: "$", message: "the schema threw RangeError: boom" },
    ]);
  });

  it("refuses a value for which a schema has no answer, or one that is none", () => {
    const raises = {
      get path(): never {
        throw new RangeError("not for you");
      },
    };
    const issues = [7, null, [null], [raises]];
    const answers = [undefined, null, 7, "valid", ...issues.map((each) => ({ issues: each }))];
    for (const answer of answers) {
      const error = refusalOf("SCHEMA_INVALID", () => validate(answering(answer), 1, "put"));
      expect(error.details.issues[0]?.message).toMatch(/^the schema threw /);
      expect(error.cause).toBeInstanceOf(Error);
    }
    const odd = answering({ issues: [{ message: 7 }] });
    const error = refusalOf("SCHEMA_INVALID", () => validate(odd, 1, "put"));
    expect(error.details.issues).toEqual([{ path: "$", message: "7" }]);
  });

  it("keeps a bounded number of issues, and renders odd paths", () => {
    const issue = { message: "no", path: ["a b", { key: 3 }, Symbol("s")] };
    const schema = answering({ issues: new Array(5_000).fill(issue) });
    const { issues } = refusalOf("SCHEMA_INVALID", () => validate(schema, 1, "put")).details;
    expect(issues.length).toBe(limits.schemaIssuesMax);
    expect(issues[0]?.path).toBe('$["a b"][3][Symbol(s)]');
  });

  it("refuses what is no schema, and says what is one", () => {
    for (const value of [
      undefined,
      null,
      7,
      {},
      { "~standard": {} },
      { "~standard": null },
      Date,
    ]) {
      const error = refusalOf("OPTION_INVALID", () => checkSchema(value, "keyValueStore", "value"));
      expect(error.details).toMatchObject({ where: "keyValueStore", option: "value" });
      expect(error.details.valid).toContain("type<T>()");
    }
  });
});
