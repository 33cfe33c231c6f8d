// docs/GUARANTEES.md names commands and tests for every promise, docs/MEMORY.md the limits that
// bound what memory is taken. Here a name that leads nowhere fails: a guarantee that nothing tries
// to break, or a bound that nothing keeps, is only a sentence.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { limits } from "../base/limits.js";
import { clusterOptions } from "../runtime/cluster-options.js";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/GUARANTEES.md"), "utf8");
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The last cell of each row that promises something. */
const triedBy = Array.from(page.matchAll(/^\| [SL]\d+'? \|.*\| (.*) \|$/gm), ([row, cell = ""]) => {
  return { id: row.slice(2, row.indexOf(" |")), cell };
});

/** `tests/unit/store/log`, `replay`: a bare name stands in the folder of the one before. */
function testsIn(cell: string): string[] {
  let folder = "";
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = ""]) => name)
    .filter((name) => !name.startsWith("npm "))
    .map((name) => {
      if (name.includes("/")) folder = name.slice(0, name.lastIndexOf("/"));
      return name.includes("/") ? name : `${folder}/${name}`;
    });
}

describe("guarantees — what tries to break them", () => {
  it("is said of each", () => {
    expect(triedBy.length).toBeGreaterThan(15);
    const ids = new Set(triedBy.map(({ id }) => id));
    for (const id of ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "L1", "L2"]) {
      expect(ids).toContain(id);
    }
  });

  it("is there: commands", () => {
    const commands = [...page.matchAll(/`npm run ([a-z]+)/g)].map(([, name = ""]) => name);
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.filter((name) => scripts[name] === undefined)).toEqual([]);
    // What is only measured is no trial.
    const entryOf = (name: string) =>
      name === "bench" ? join(root, "bench/main.ts") : join(root, "trials", name, "main.ts");
    expect(commands.filter((name) => !existsSync(entryOf(name)))).toEqual([]);
  });

  it("is there: tests", () => {
    const named = triedBy.flatMap(({ cell }) => testsIn(cell));
    expect(named.length).toBeGreaterThan(40);
    const endings = ["", ".test.ts", ".thread.test.ts", ".property.test.ts", ".model.test.ts"];
    const missing = named.filter((name) => {
      return !endings.some((ending) => existsSync(join(root, name + ending)));
    });
    expect(missing).toEqual([]);
  });
});

describe("memory — what bounds it", () => {
  const page = readFileSync(join(root, "docs/MEMORY.md"), "utf8");
  /** The second cell (how much) and the third (by) of each row that has a bound with a name. */
  const bounds = Array.from(page.matchAll(/^\| .* \| (.*) \| (.*`.*) \|$/gm), ([, much, by]) => {
    return { much: much ?? "", by: by ?? "" };
  });
  const namesIn = (cell: string) =>
    Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name ?? "");

  it("is there: limits, and options of a launch", () => {
    expect(bounds.length).toBeGreaterThan(8);
    const options = Object.keys(clusterOptions({ directory: "d" }));
    // Some are kept under another name.
    const known = [...options, ...Object.keys(limits), "threads", "tasks", "mailbox", "ids"];
    const named = bounds.flatMap(({ by }) => namesIn(by)).filter((name) => name !== "limits.ts");
    expect(named.filter((name) => !known.includes(name.split(".")[0] ?? ""))).toEqual([]);
  });

  it("is what the page says", () => {
    const shown = (name: keyof typeof limits) => limits[name].toLocaleString("en-US");
    const mebibytes = (name: keyof typeof limits) => `${limits[name] / 2 ** 20} MiB`;
    expect(page).toContain(`${shown("cacheEntriesMax")} of stores`);
    expect(page).toContain(`${shown("ownCacheEntriesMax")} of its own`);
    expect(page).toContain(
      `about ${limits.cacheBytesMax / 2 ** 20} and ${mebibytes("ownCacheBytesMax")}`,
    );
    expect(page).toContain(`${shown("foldedScopesMax")}, of about ${mebibytes("foldedBytesMax")}`);
    expect(page).toContain(`${shown("laneWaitingMax")} and ${mebibytes("laneWaitingBytesMax")}`);
    expect(page).toContain(`default ${mebibytes("laneBytesMax")} and ${shown("laneMessagesMax")}`);
    expect(page).toContain(`default ${mebibytes("arenaBytesDefault")}`);
    expect(page).toContain(`default ${shown("callRecordsMax")}`);
    expect(page).toContain(`${shown("runningNodesMax")} that run and ${shown("awakeWaitingMax")}`);
    expect(page).toContain(`and ${limits.threadYoungMebibytes} for what V8`);
    expect(page).toContain(`| ${mebibytes("streamWindowBytes")} where they are kept`);
    expect(page).toContain(`for each other task, ${mebibytes("streamSectionBytesMax")} and one`);
    expect(page).toContain(`At most ${shown("streamWindowMessages")} to each task`);
    const pageBytes = 4_096;
    const stepMebibytes = (limits.checkpointStepRowsMax * pageBytes) / 2 ** 20;
    expect(page).toContain(`the pages of one step (${stepMebibytes})`);
  });
});
