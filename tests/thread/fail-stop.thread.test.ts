// A damaged row on disk, met at run time by a real process. What goes wrong here would look like a
// process that answers with a refusal, goes on, and acknowledges what it should not know.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import damaged from "../../dist/tests/topologies/damaged.js";
import { tempDirectory } from "../support/temp-directory.js";

const program = fileURLToPath(new URL("../../dist/tests/topologies/damaged.js", import.meta.url));
const mark = "victim of a flipped bit ";

/** A directory of one task whose environment has the row of `victim`, with a bit of it flipped. */
async function damagedDirectory(): Promise<string> {
  const directory = tempDirectory();
  {
    const options = { directory, tasks: 1, threads: 1, arenaBytes: 1_048_576 };
    await using runtime = await launch(damaged, options);
    const rows = runtime.store("rows");
    await rows.put("victim", mark.repeat(10));
    const filling = "-".repeat(60_000);
    // The arena with the victim is frozen and written out.
    for (let index = 0; ; index += 1) {
      await rows.put(`other ${index}`, filling);
      const { tasks } = await runtime.stats();
      if ((tasks[0]?.storage.checkpoints ?? 0) > 0) break;
    }
  }
  const file = join(directory, "t0000", "environment", "data.mdb");
  const bytes = readFileSync(file);
  let found = 0;
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1), found += 1) {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
  }
  expect(found).toBeGreaterThan(0);
  writeFileSync(file, bytes);
  return directory;
}

/** Uses the directory in another process, which must end by itself. */
function use(mode: "read" | "update" | "invariant", directory: string) {
  const { stdout, stderr, signal } = spawnSync(process.execPath, [program, mode, directory], {
    encoding: "utf8",
  });
  return { lines: stdout.trim().split("\n"), stderr, signal };
}

const place = /the row of key [0-9a-f]+ in table 16 is damaged: its checksum is wrong/;

describe("fail-stop — a broken invariant", () => {
  it("ends the process, out of whatever callback of a task thread it comes", () => {
    const { lines, stderr, signal } = use("invariant", tempDirectory());
    expect([lines, signal]).toEqual([["serves"], "SIGKILL"]);
    expect(stderr).toMatch(/^partita: stopped: thread 1 failed to go on: broken in a timer /);
    expect(stderr).toMatch(/\(InvariantViolation at topologies\/damaged\.(js|ts):\d+:\d+\)/);
  });
});

describe("fail-stop — a damaged row", () => {
  it("ends the process when its owner meets it, and nobody is answered", async () => {
    const { lines, stderr, signal } = use("update", await damagedDirectory());
    expect([lines, signal]).toEqual([["serves"], "SIGKILL"]);
    expect(stderr).toMatch(/^partita: stopped: task 0 failed to apply: the storage of task 0 is /);
    expect(stderr).toMatch(place);
    expect(stderr).toMatch(/PartitaError at store\/environment\.(js|ts):\d+:\d+/);
  });

  it("is told to a reader with task, table and key, and then ends the process", async () => {
    const { lines, stderr, signal } = use("read", await damagedDirectory());
    expect(signal).toBe("SIGKILL");
    expect(lines).toEqual(["serves", expect.stringMatching(place)]);
    expect(lines[1]).toContain("the storage of task 0 is corrupt");
    expect(stderr).toMatch(/^partita: stopped: a reader of task 0 failed to read: /);
  });
});
