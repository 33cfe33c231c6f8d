// PartitaError — brand, details, words, and where the stack begins.

import { runInNewContext } from "node:vm";
import { describe, expect, expectTypeOf, it, onTestFinished } from "vitest";
import { errorCodes, messageOf } from "../../../base/error-messages.js";
import { PartitaError, updateThrew } from "../../../base/errors.js";
import { string } from "../../../store/key.js";
import { refusalOf } from "../../support/refusal.js";

const full = { taskId: 3, capacity: 1_024 };

describe("error — what it holds", () => {
  it("has a code, details that fit it, a message and a cause", () => {
    const cause = new Error("why");
    const error = new PartitaError("MAILBOX_FULL", full, { cause });
    expect(error.code).toBe("MAILBOX_FULL");
    expect(error.details).toEqual(full);
    expect(error.cause).toBe(cause);
    expect(error.message).toBe("the mailbox of task 3 is full (1024 messages)");
    expect(error.name).toBe("PartitaError");
    expect(error).toBeInstanceOf(Error);
    expectTypeOf(error.details.capacity).toEqualTypeOf<number>();
  });

  it("has no cause unless it is given one, and keeps one that is undefined", () => {
    expect("cause" in new PartitaError("MAILBOX_FULL", full)).toBe(false);
    expect("cause" in new PartitaError("MAILBOX_FULL", full, { cause: undefined })).toBe(true);
  });

  it("enumerates code and details only, so that printing it shows both", () => {
    expect(Object.keys(new PartitaError("MAILBOX_FULL", full))).toEqual(["code", "details"]);
  });

  it("takes words from elsewhere", () => {
    const error = new PartitaError("MAILBOX_FULL", full, { message: "told so" });
    expect(error.message).toBe("told so");
    expect(error.stack).toContain("PartitaError: told so\n");
  });

  it("has words for every code", () => {
    expect(errorCodes.length).toBeGreaterThan(40);
    expect(new Set(errorCodes).size).toBe(errorCodes.length);
    for (const code of errorCodes) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  it("lists every problem of a topology with path, choices and code", () => {
    const message = messageOf("TOPOLOGY_INVALID", {
      topology: "bank",
      problems: [
        { code: "TARGET_UNKNOWN", path: "agents.a.nodes.b", message: "no node", valid: ["c"] },
        { code: "ENTRY_UNKNOWN", path: "agents.a.entry", message: "no entry", valid: [] },
      ],
    });
    expect(message).toBe(
      'topology "bank" has 2 problem(s):\n' +
        '  agents.a.nodes.b: no node; valid: "c" [TARGET_UNKNOWN]\n' +
        "  agents.a.entry: no entry [ENTRY_UNKNOWN]",
    );
  });
});

describe("error — recognising it", () => {
  it("is told by its brand, with and without a code", () => {
    const error: unknown = new PartitaError("MAILBOX_FULL", full);
    expect(PartitaError.is(error)).toBe(true);
    expect(PartitaError.is(error, "MAILBOX_FULL")).toBe(true);
    expect(PartitaError.is(error, "CLOSED")).toBe(false);
    if (PartitaError.is(error, "MAILBOX_FULL")) {
      expectTypeOf(error.details).toEqualTypeOf<Readonly<{ taskId: number; capacity: number }>>();
    }
  });

  it("recognises one of another realm and another copy", () => {
    const foreign: unknown = runInNewContext(
      `class Copy extends Error { get [Symbol.for("partita.error")]() { return true; } }
       Object.assign(new Copy("full"), { code: "MAILBOX_FULL", details: {} })`,
    );
    expect(foreign instanceof Error).toBe(false);
    expect(PartitaError.is(foreign, "MAILBOX_FULL")).toBe(true);
  });

  it("is not fooled by a code alone, nor by what is no object", () => {
    const lookalike = Object.assign(new Error("full"), { code: "MAILBOX_FULL", details: full });
    for (const value of [lookalike, null, undefined, "MAILBOX_FULL", 7, {}]) {
      expect(PartitaError.is(value)).toBe(false);
    }
  });
});

describe("error — the stack", () => {
  it("begins at the user's line, below every line of ours", () => {
    const error = refusalOf("KEY_EMPTY", () => string.encode(""));
    expect(firstFrame(error)).toContain("errors.test.ts");
  });

  it("looks through what the language has in between", () => {
    const error = refusalOf("KEY_EMPTY", () => [""].map(string.encode));
    expect(firstFrame(error)).toContain("errors.test.ts");
  });

  it("begins at the caller of a function that is to be hidden", () => {
    function helperOfMine(): never {
      throw new PartitaError("MAILBOX_FULL", full, { below: helperOfMine });
    }
    const error = refusalOf("MAILBOX_FULL", () => helperOfMine());
    expect(error.stack).not.toContain("helperOfMine");
    expect(firstFrame(error)).toContain("errors.test.ts");
  });

  it("can be replaced, as that of any error", () => {
    const error = new PartitaError("MAILBOX_FULL", full);
    error.stack = "mine";
    expect(error.stack).toBe("mine");
    expect(new PartitaError("MAILBOX_FULL", full).stack).not.toBe("mine");
    expect(PartitaError.prototype.stack).toBeUndefined();
  });

  it("has no frames where stacks are turned off", () => {
    const before = Error.stackTraceLimit;
    onTestFinished(() => {
      Error.stackTraceLimit = before;
    });
    Error.stackTraceLimit = 0;
    const error = new PartitaError("MAILBOX_FULL", full);
    Error.stackTraceLimit = before;
    expect(error.stack).toBe(`PartitaError: ${error.message}`);
  });

  it("does not enumerate, and leaves the depth of other stacks alone", () => {
    const before = Error.stackTraceLimit;
    const error = new PartitaError("MAILBOX_FULL", full);
    expect(Object.keys(error)).not.toContain("stack");
    expect(Error.stackTraceLimit).toBe(before);
  });
});

describe("error — what updates throw", () => {
  it("wraps a user's error once, as the cause", () => {
    const thrown = new TypeError("cents is undefined");
    const error = updateThrew(thrown, "balances", "deposit");
    expect(error.code).toBe("UPDATE_THREW");
    expect(error.details).toEqual({ store: "balances", update: "deposit" });
    expect(error.cause).toBe(thrown);
    expect(updateThrew(error, "balances", "deposit")).toBe(error);
  });
});

function firstFrame(error: Error): string {
  return error.stack?.split("\n").find((line) => line.startsWith("    at ")) ?? "";
}
