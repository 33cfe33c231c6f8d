// The mutants of all trials are texts of compiled files: each must still stand there, once. One
// that has lost its place would fail its command long after the change that moved it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mutants as histories } from "../../trials/histories/mutants.js";
import { broken } from "../../trials/mutant.js";
import { mutants as powercut } from "../../trials/powercut/mutants.js";
import { simMutants as sim } from "../../trials/sim/mutants.js";
import { mutants as torture } from "../../trials/torture/mutants.js";

const dist = join(import.meta.dirname, "../../dist");

describe("mutants", () => {
  it.each(Object.entries({ histories, powercut, sim, torture }))(
    "of %s find their places in what is compiled",
    (_trial, mutants) => {
      for (const mutant of mutants) {
        const text = readFileSync(join(dist, mutant.file), "utf8");
        expect(broken(mutant, text)).not.toBe(text);
      }
    },
  );
});
