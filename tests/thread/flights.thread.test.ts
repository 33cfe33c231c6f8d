// The main job as users run it: a process of its own, real threads, compiled files.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runExample } from "../support/run-example.js";
import { tempDirectory } from "../support/temp-directory.js";

describe("flights — as a program with task threads", { timeout: 60_000 }, () => {
  it("verifies a few hundred flights, before and after a restart, and ends well", async () => {
    const temporary = tempDirectory();
    const { status, output, errors } = await runExample("flights", temporary, ["--flights", "400"]);

    expect(errors).toBe("");
    expect(status).toBe(0);
    expect(output).toContain("on 4 tasks, 2 threads");
    expect(output).toContain("\n800 invocations in ");
    expect(output.match(/: every airport, route and day is as recomputed$/gm)).toHaveLength(2);
    expect(output.trimEnd().split("\n").at(-1)).toBe(
      "flights: 400 events, 123 airports, 353 routes, verified against recomputation: OK",
    );
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("keeps a directory that the user names, and never counts into it again", async () => {
    const temporary = tempDirectory();
    const directory = join(temporary, "data");
    const args = ["--flights", "20", "--tasks", "3", "--threads", "1", "--directory", directory];
    const first = await runExample("flights", temporary, args);
    const second = await runExample("flights", temporary, args);
    const refusal = `--directory ${directory} is not empty: the flights would be counted twice`;

    expect(first.status).toBe(0);
    expect(readdirSync(directory)).not.toEqual([]);
    expect(second).toEqual({
      status: 1,
      output: "",
      errors: `flights: ${refusal}\n`,
    });
  });

  it("explains itself with --help and refuses what it does not know", async () => {
    const temporary = tempDirectory();
    const help = await runExample("flights", temporary, ["--help"]);
    const refused = await runExample("flights", temporary, ["--theads", "2"]);

    expect([help.status, help.errors]).toEqual([0, ""]);
    for (const option of ["--flights N", "--directory DIR", "--tasks N", "--threads N"]) {
      expect(help.output).toContain(option);
    }
    expect([refused.status, refused.output]).toEqual([1, ""]);
    expect(refused.errors).toMatch(/^flights: Unknown option '--theads'/);
  });
});
