import { describe, expect, it } from "vitest";
import { checkOptionNames, optionInvalid } from "../../../base/options.js";
import { refusalOf } from "../../support/refusal.js";

describe("options — names", () => {
  it("takes known names, in any number", () => {
    expect(() => checkOptionNames("launch", {}, ["tasks"])).not.toThrow();
    expect(() => checkOptionNames("launch", { tasks: 1 }, ["tasks"])).not.toThrow();
  });

  it("refuses an unknown name and lists the known ones", () => {
    const error = refusalOf("OPTION_UNKNOWN", () => {
      checkOptionNames("launch", { task: 1 }, ["tasks", "threads"]);
    });
    expect(error.details).toEqual({ where: "launch", option: "task", known: ["tasks", "threads"] });
    expect(error.message).toBe('launch: unknown option "task"; known: "tasks", "threads"');
  });

  it("refuses what is no object", () => {
    for (const options of [null, undefined, 7, "x", []]) {
      const error = refusalOf("OPTION_INVALID", () => checkOptionNames("launch", options, []));
      expect(error.details.valid).toBe("an object");
    }
  });

  it("says what a value must be", () => {
    const error = optionInvalid("launch", "tasks", -1, "a whole number from 1 to 1,024");
    expect(error.message).toBe('launch: "tasks" must be a whole number from 1 to 1,024, not -1');
  });
});
