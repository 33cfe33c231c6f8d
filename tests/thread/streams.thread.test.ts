// Streams between tasks at launch, on real files. What goes wrong here would look like a directory
// put together from two times that opens, and then drops new messages as if they were old ones.

import { cpSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type LaunchOptions, launch } from "../../dist/index.js";
import survivors from "../../dist/tests/topologies/survivors.js";
import { refusal } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

type Settings = Pick<LaunchOptions, "threads" | "durability">;

/** Launches, runs a chain that goes from task to task, and closes in order. */
async function runChain(directory: string, settings: Settings): Promise<void> {
  await using runtime = await launch(survivors, { directory, tasks: 2, ...settings });
  expect(await runtime.agent("chain").invoke({ hops: 12 })).toBe(12);
}

/** Every file below a directory with its bytes; without locks, which say nothing of the data. */
function contents(directory: string): ReadonlyMap<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => !/lock\.mdb|owner/.test(name) && statSync(join(directory, name)).isFile())
    .sort();
  return new Map(files.map((name) => [name, readFileSync(join(directory, name), "latin1")]));
}

const settings: readonly Settings[] = [
  { threads: 2, durability: "durable" },
  { threads: 0, durability: "durable" },
  { threads: 2, durability: "relaxed" },
];

describe("streams — a task that was restored from an older copy", () => {
  it.each(settings)("is refused with both numbers, and nothing is changed: %o", async (setting) => {
    const directory = tempDirectory();
    const aside = tempDirectory();
    const task = join(directory, "t0000");
    await runChain(directory, setting);
    cpSync(task, join(aside, "older"), { recursive: true });
    await runChain(directory, setting);
    renameSync(task, join(aside, "newer"));
    cpSync(join(aside, "older"), task, { recursive: true });
    const before = contents(directory);
    const launching = () => launch(survivors, { directory, ...setting });
    const { details, message } = await refusal(launching(), "STREAM_DIVERGED");
    // Everything was closed and freed: the next one finds the directory as it was.
    await refusal(launching(), "STREAM_DIVERGED");
    expect(contents(directory)).toEqual(before);
    const { applied, acknowledged, next } = details;
    expect(applied >= next || applied < acknowledged).toBe(true);
    for (const number of [applied, acknowledged, next - 1]) expect(message).toContain(`${number} `);
    rmSync(task, { recursive: true });
    renameSync(join(aside, "newer"), task);
    await runChain(directory, setting);
  });
});
