// Declarations: everything about a store is checked where it is declared, before anything exists.

import { describe, expect, it } from "vitest";
import { isReply, isStoreDeclaration, keyValueStore, reply } from "../../../store/declaration.js";
import { integer, string } from "../../../store/key.js";
import type { KeyCodec } from "../../../store/key-form.js";
import { type } from "../../../store/schema.js";
import { refusalOf } from "../../support/refusal.js";

const good = { key: string, value: type<number>() };

/** Declares with options that types would refuse. */
function declare(options: unknown): unknown {
  // cast: that is the point
  return keyValueStore(options as typeof good);
}

describe("declaration — a store", () => {
  it("holds its key, its value and its updates, frozen", () => {
    const add = (count = 0, by: number): number => count + by;
    const updates = { add };
    const store = keyValueStore({ ...good, updates });
    expect(store.kind).toBe("keyValueStore");
    expect(store.key).toBe(string);
    expect(store.value).toBe(good.value);
    expect(store.updates).toEqual({ add });
    expect(Object.isFrozen(store) && Object.isFrozen(store.updates)).toBe(true);
    expect(Object.isFrozen(updates)).toBe(false);
  });

  it("has no updates when none are declared", () => {
    expect(keyValueStore(good).updates).toEqual({});
  });

  it("is recognised, and nothing else is", () => {
    expect(isStoreDeclaration(keyValueStore(good))).toBe(true);
    for (const other of [null, 7, {}, { ...good, kind: "keyValueStore", updates: {} }]) {
      expect(isStoreDeclaration(other)).toBe(false);
    }
  });

  it("puts a user's own key codec behind the checks of every key", () => {
    const own: KeyCodec<string> = {
      name: "own",
      encode: (key) => new Uint8Array(key.length),
      decode: (bytes) => "x".repeat(bytes.length),
    };
    const store = keyValueStore({ key: own, value: type<number>() });
    expect(store.key).not.toBe(own);
    expect([...store.key.encode("ab")]).toEqual([0x50, 0, 0]);
    expect(store.key.decode(store.key.encode("ab"))).toBe("xx");
    expect(refusalOf("KEY_EMPTY", () => store.key.encode("")).details.codec).toBe("own");
    refusalOf("KEY_TOO_LARGE", () => store.key.encode("x".repeat(1_976)));
  });
});

describe("declaration — refusals", () => {
  it("refuses unknown options, and lists the known ones", () => {
    const error = refusalOf("OPTION_UNKNOWN", () => declare({ ...good, ttl: 5 }));
    expect(error.message).toBe(
      'keyValueStore: unknown option "ttl"; known: "key", "value", "updates"',
    );
  });

  it("refuses missing and wrong options, and says what is valid", () => {
    const cases: [unknown, string][] = [
      [{ value: good.value }, "key"],
      [{ ...good, key: "string" }, "key"],
      [{ ...good, key: { encode: () => 1, decode: () => 1 } }, "key"],
      [{ ...good, key: { ...integer, name: "" } }, "key"],
      [{ key: string }, "value"],
      [{ ...good, value: {} }, "value"],
      [{ ...good, updates: [] }, "updates"],
      [{ ...good, updates: () => 1 }, "updates"],
      [{ ...good, updates: { "a b": () => 1 } }, "updates"],
      [{ ...good, updates: { add: 1 } }, "updates.add"],
      [{ ...good, updates: { add: async () => 1 } }, "updates.add"],
      [null, "options"],
    ];
    for (const [options, option] of cases) {
      const error = refusalOf("OPTION_INVALID", () => declare(options));
      expect(error.details.option).toBe(option);
      expect(error.details.valid).not.toBe("");
    }
  });

  it("names an update that is badly named", () => {
    const error = refusalOf("OPTION_INVALID", () =>
      declare({ ...good, updates: { "a b": () => 1 } }),
    );
    expect(error.details.value).toBe("a b");
    expect(error.details.valid).toContain("letter");
  });

  it("points at the user's line", () => {
    const error = refusalOf("OPTION_INVALID", () => declare({}));
    const frame = error.stack?.split("\n").find((line) => line.startsWith("    at "));
    expect(frame).toContain("declaration.test.ts");
  });
});

describe("reply — what an update answers", () => {
  it("holds a value and an answer, and is told from values that look like it", () => {
    const answer = reply(5, "five");
    expect(answer.value).toBe(5);
    expect(answer.reply).toBe("five");
    expect(isReply(answer)).toBe(true);
    expect(isReply(reply(undefined, undefined))).toBe(true);
    for (const other of [{ value: 5, reply: "five" }, { "~reply": true }, null, 5]) {
      expect(isReply(other)).toBe(false);
    }
  });
});
