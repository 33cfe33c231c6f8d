// Bugs here would look like a suspect that is forgotten, reported again and again, or a damaged
// file that keeps a directory from being opened.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  readSuspects,
  removeSuspect,
  type Suspect,
  writeSuspect,
} from "../../../runtime/suspect-file.js";
import { tempDirectory } from "../../support/temp-directory.js";

const when = { thread: 1, sinceMs: 5, timeMs: 35_005, handlerTimeoutMs: 30_000, pid: 77 };
const update: Suspect = { kind: "update", task: 0, store: "s", update: "u", ...when };
const node: Suspect = { kind: "node", task: 2, agent: "a", node: "n", arrivalNo: 2 ** 40, ...when };

function folders(): string[] {
  const directory = tempDirectory();
  return [0, 1, 2].map((task) => {
    const folder = join(directory, `t000${task}`);
    mkdirSync(folder);
    return folder;
  });
}

describe("suspect file", () => {
  it("comes back as it was written, until it is removed", () => {
    const tasks = folders();
    writeSuspect(tasks[2] ?? "", node);
    writeSuspect(tasks[0] ?? "", update);
    const found = readSuspects(tasks);
    expect(found).toMatchObject([update, node]);
    for (const { task } of found) removeSuspect(tasks[task] ?? "");
    expect(readSuspects(tasks)).toEqual([]);
    expect(tasks.flatMap((folder) => readdirSync(folder))).toEqual([]);
  });

  it("replaces the one before it", () => {
    const tasks = folders();
    writeSuspect(tasks[0] ?? "", { ...update, update: "other" });
    writeSuspect(tasks[0] ?? "", update);
    expect(readSuspects(tasks)).toMatchObject([update]);
  });

  it("that is damaged, or of another task, is a suspect of unknown kind", () => {
    const hostile = [
      "",
      "null",
      "[]",
      "{",
      JSON.stringify({ ...update, task: 9 }),
      JSON.stringify({ ...node, task: 1, arrivalNo: "1" }),
      JSON.stringify({ ...node, task: 1, arrivalNo: 0.5 }),
      JSON.stringify({ ...node, task: 1, kind: 7 }),
    ];
    for (const text of hostile) {
      const tasks = folders();
      writeFileSync(join(tasks[1] ?? "", "suspect.json"), text);
      expect(readSuspects(tasks)).toMatchObject([{ kind: "unknown", task: 1 }]);
    }
  });
});
