// Owner — one process at a time has a directory open, and only what fits it. What goes wrong here
// would look like two writers of one log, a lock that outlives its owner, or data read by the wrong
// rules.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  integer,
  keyValueStore,
  launch,
  string,
  type Topology,
  topology,
  type,
} from "../../dist/index.js";
import broken from "../../dist/tests/topologies/broken.js";
import faults from "../../dist/tests/topologies/faults.js";
import load from "../../dist/tests/topologies/load.js";
import survivors from "../../dist/tests/topologies/survivors.js";
import { type Child, startChild } from "../support/child-process.js";
import { refusal } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

const faultsModule = new URL("../../dist/tests/topologies/faults.js", import.meta.url).href;

/** The next line of a child's output. */
async function nextLine(child: Child): Promise<string> {
  for await (const line of child.lines) return line;
  return "";
}

describe("owner — a second launch on an open directory", () => {
  it("is refused with the owner's pid, in the same process and in another", async () => {
    const directory = tempDirectory();
    const first = await launch(survivors, { directory, tasks: 2, threads: 1 });
    const second = await refusal(launch(survivors, { directory }), "DIRECTORY_LOCKED");
    const inline = await refusal(launch(survivors, { directory, threads: 0 }), "DIRECTORY_LOCKED");
    const elsewhere = await nextLine(startChild("hold", directory));

    expect(second.details).toEqual({ directory, pid: process.pid });
    expect(second.message).toContain(`process ${process.pid}`);
    expect(inline.details).toEqual({ directory, pid: process.pid });
    expect(elsewhere).toBe(
      `refused DIRECTORY_LOCKED ${JSON.stringify({ directory, pid: process.pid })}`,
    );
    // The refused ones have taken nothing from the owner.
    await first.store("logs").update("append", "log", 1);
    await first.close();
    await using third = await launch(survivors, { directory });
    expect(await third.store("logs").get("log")).toMatchObject({ count: 1, gaps: 0 });
  });

  it("finds the directory by whatever path", async () => {
    const directory = tempDirectory();
    mkdirSync(join(directory, "data"));
    await using _first = await launch(survivors, { directory: join(directory, "data") });
    const detour = `${directory}/data/../data/`;

    await refusal(launch(survivors, { directory: detour }), "DIRECTORY_LOCKED");
  });

  it("succeeds without any cleaning up after the owner was killed", async () => {
    const directory = tempDirectory();
    const owner = startChild("hold", directory);
    expect(await nextLine(owner)).toBe("ready");
    const refused = await refusal(launch(survivors, { directory }), "DIRECTORY_LOCKED");
    await owner.kill();

    expect(refused.details).toEqual({ directory, pid: owner.pid });
    await using runtime = await launch(survivors, { directory });
    expect(await runtime.store("logs").get("held")).toMatchObject({ count: 1, gaps: 0 });
  });
});

describe("directory — a launch that does not fit it", () => {
  it("refuses other task counts, topologies and kinds of key, and names both sides", async () => {
    const directory = tempDirectory();
    await (await launch(load, { directory, tasks: 3, threads: 1 })).close();
    const before = readFileSync(join(directory, "partita.json"), "utf8");
    const keyed = topology("load", faultsModule, {
      stores: { texts: keyValueStore({ key: integer, value: type<string>() }) },
    });
    const tasks = await refusal(launch(load, { directory, tasks: 4 }), "TASK_COUNT_MISMATCH");
    const other = await refusal(launch(faults, { directory }), "TOPOLOGY_MISMATCH");
    const shape = await refusal(launch(keyed, { directory }), "TOPOLOGY_MISMATCH");

    expect(tasks.details).toEqual({ directory, recorded: 3, asked: 4 });
    expect(other.details).toEqual({
      directory,
      recorded: 'topology "load"',
      declared: 'topology "faults"',
    });
    expect(shape.message).toMatch(/"texts" with keys string.*"texts" with keys integer/);
    expect(readFileSync(join(directory, "partita.json"), "utf8")).toBe(before);
  });

  it("refuses a format that it does not know", async () => {
    const directory = tempDirectory();
    await (await launch(load, { directory, tasks: 1, threads: 1 })).close();
    const file = join(directory, "partita.json");
    const record: unknown = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify(Object.assign({}, record, { format: 99 })));
    const { details, message } = await refusal(launch(load, { directory }), "FORMAT_UNKNOWN");

    expect(details).toEqual({ directory, recorded: "99", known: ["5"] });
    expect(message).toContain("99");
  });

  it("takes any number of threads at every launch", async () => {
    const directory = tempDirectory();
    for (const [launches, threads] of [2, 1, 0, 3, 8].entries()) {
      await using runtime = await launch(load, { directory, threads });
      const counters = runtime.store("counters");
      const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`);
      await Promise.all(keys.map((key) => counters.update("add", key, 1)));

      expect(await counters.getMany(keys)).toEqual(keys.map(() => launches + 1));
    }
  });
});

describe("module — task threads that find something else in it", () => {
  const stores = { texts: keyValueStore({ key: string, value: type<string>() }) };

  it.each<[string, Topology, RegExp]>([
    [
      "no topology of that name",
      topology("nobody", faultsModule, { stores }),
      /no topology of that/,
    ],
    [
      "another structure",
      topology("faults", faultsModule, { stores }),
      /its structure is \w+ here/,
    ],
    ["no module", topology("nobody", "file:///no/such/module.js", { stores }), /no\/such\/module/],
    ["an error", broken, /this module fails on task threads/],
  ])("refuses %s, and lets the directory go", async (_what, declared, reason) => {
    const directory = tempDirectory();
    const { details } = await refusal(launch(declared, { directory }), "MODULE_INVALID");
    await refusal(launch(declared, { directory }), "MODULE_INVALID");

    expect(details).toMatchObject({ module: declared.module, topology: declared.name });
    expect(details).toHaveProperty("reason", expect.stringMatching(reason));
    // Refused before anything changed: the directory can be another topology's.
    expect(existsSync(join(directory, "partita.json"))).toBe(false);
  });
});
