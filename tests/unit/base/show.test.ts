import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { show, showKind, showNames } from "../../../base/show.js";
import { isWellFormed } from "../../../base/text.js";

const angry = new Proxy(
  {},
  {
    getPrototypeOf() {
      throw new Error("no");
    },
  },
);

describe("show — values in messages", () => {
  it("shows each kind of value so that it can be recognised", () => {
    expect(show("a\nb")).toBe('"a\\nb"');
    expect(show(-0)).toBe("-0");
    expect(show(Number.NaN)).toBe("NaN");
    expect(show(12n)).toBe("12n");
    expect(show(undefined)).toBe("undefined");
    expect(show(Symbol("s"))).toBe("Symbol(s)");
    expect(show(function named() {})).toBe("the function named");
    expect(show([1, { a: 2 }])).toBe("[ 1, { a: 2 } ]");
  });

  it("keeps to one short, well-formed line", () => {
    const long = [
      "x".repeat(10_000),
      "😀".repeat(500),
      { a: "y".repeat(10_000), b: "z".repeat(10_000) },
      10n ** 5_000n,
      "\ud800",
      new Array(1_000).fill("line\n"),
    ];
    for (const value of long) {
      const shown = show(value);
      expect(shown.length).toBeLessThanOrEqual(120);
      expect(shown).not.toContain("\n");
      expect(isWellFormed(shown)).toBe(true);
    }
  });

  it("runs none of the value's own code", () => {
    let ran = false;
    const own = {
      [inspect.custom]: () => {
        ran = true;
        return "own";
      },
    };
    expect(show(own)).toContain("{");
    expect(ran).toBe(false);
    expect(typeof show(angry)).toBe("string");
  });

  it("lists names, or says that there are none", () => {
    expect(showNames(["a", "b"])).toBe('"a", "b"');
    expect(showNames([])).toBe("none");
  });

  it("names the class of an instance", () => {
    expect(showKind(new URL("http://a"))).toBe("an instance of URL");
    expect(showKind(new (class {})())).toBe("an instance of a class");
    expect(showKind(Object.create(null))).toBe("an object without a prototype");
    expect(showKind(null)).toBe("null");
    expect(showKind(1)).toBe("a number");
    expect(showKind(angry)).toBe("an object that cannot be looked at");
  });
});
