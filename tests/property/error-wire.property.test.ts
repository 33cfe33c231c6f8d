// Errors over a thread hop. A bug here would look like a code, a detail or a cause that is lost on
// the way, so that a program's `PartitaError.is(error, code)` is false on one thread and true on
// another.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ErrorWire, fromWire, toWire } from "../../base/error-wire.js";
import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { wellFormed } from "../../base/text.js";
import { decodeValue, encodeValue } from "../../store/value.js";
import { anyValue } from "../../testing/arbitraries.js";
import { check } from "../support/property.js";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("", "\ud800", "a\nb", "€".repeat(6_000), "__proto__", "\ufeffmark"),
);
const count = fc.nat();
const names = fc.array(text, { maxLength: 5 });

const partitaError: fc.Arbitrary<(cause: unknown) => PartitaError> = fc.oneof(
  fc
    .record({ taskId: count, capacity: count })
    .map((details) => (cause: unknown) => new PartitaError("MAILBOX_FULL", details, { cause })),
  fc
    .record({ store: text, known: names })
    .map((details) => (cause: unknown) => new PartitaError("STORE_UNKNOWN", details, { cause })),
  fc
    .record({
      where: text,
      issues: fc.array(fc.record({ path: text, message: text }), { maxLength: 3 }),
    })
    .map((details) => (cause: unknown) => new PartitaError("SCHEMA_INVALID", details, { cause })),
  fc
    .record({ directory: text, pid: fc.option(count) })
    .map((details) => (cause: unknown) => new PartitaError("DIRECTORY_LOCKED", details, { cause })),
  fc
    .record({ taskIds: fc.array(count, { maxLength: 4 }), threadId: count, reason: text })
    .map((details) => (cause: unknown) => new PartitaError("TASK_EXITED", details, { cause })),
);

const foreignError: fc.Arbitrary<(cause: unknown) => Error> = fc
  .tuple(fc.constantFrom(Error, TypeError, RangeError), text)
  .map(
    ([Class, message]) =>
      (cause: unknown) =>
        new Class(message, { cause }),
  );

/** A chain of errors of both sorts, at most as long as is kept. */
const errorChain: fc.Arbitrary<Error> = fc
  .array(fc.oneof(partitaError, foreignError), {
    minLength: 1,
    maxLength: limits.errorCauseDepthMax,
  })
  .map((makers) => makers.reduceRight<unknown>((cause, make) => make(cause), undefined))
  // cast: there is at least one maker, and each makes an error
  .map((error) => error as Error);

function hop(error: unknown): Error {
  // cast: it is the wire form that was encoded
  return fromWire(decodeValue(encodeValue(toWire(error))) as ErrorWire);
}

/** What must not change, of an error and its causes, with texts as they may be sent. */
function essence(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  const code = PartitaError.is(error) ? error.code : undefined;
  const details = PartitaError.is(error) ? error.details : undefined;
  const { name, message, stack, cause } = error;
  const texts = [name, message, stack ?? ""].map((one) => wellFormed(one));
  return sendable({ texts, code, details, cause: essence(cause) });
}

/** Texts longer than may be sent are only compared by their beginning. */
function sendable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part) =>
      typeof part === "string" ? wellFormed(part).slice(0, 1_000) : part,
    ),
  );
}

describe("error wire — over a hop", () => {
  it("keeps code, details, message, stack and every cause", async () => {
    await check(
      fc.property(errorChain, (error) => {
        const arrived = hop(error);
        expect(essence(arrived)).toEqual(essence(error));
        expect(PartitaError.is(arrived)).toBe(PartitaError.is(error));
      }),
      { runs: 1_500 },
    );
  });

  it("changes nothing the second time", async () => {
    await check(
      fc.property(errorChain, (error) => {
        const once = toWire(error);
        expect(toWire(hop(error))).toEqual(once);
        expect(toWire(hop(hop(error)))).toEqual(once);
      }),
      { runs: 1_500 },
    );
  });

  it("takes anything that can be thrown", async () => {
    await check(
      fc.property(anyValue(), partitaError, (thrown, make) => {
        const arrived = hop(thrown);
        expect(arrived).toBeInstanceOf(Error);
        const { cause } = hop(make(thrown));
        if (thrown === undefined) expect(cause).toBeUndefined();
        else expect(cause).toBeInstanceOf(Error);
        expect(toWire(arrived)).toEqual(toWire(thrown));
      }),
      { runs: 1_500 },
    );
  });
});
