// Full disk — a program that fills the small disk it is given, and shows what its guard then does.
//
//   node full-disk.js <mount> <file>
//
// <mount> is the root of a small file system, <file> a path elsewhere that lets its nodes go on.
// Says in lines how far it has come, `ok <acknowledged>` last; a surprise is an uncaught error.

import { strict as assert } from "node:assert";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import {
  agent,
  integer,
  keyValueStore,
  launch,
  node,
  PartitaError,
  type Runtime,
  string,
  topology,
  type,
} from "../../index.js";

const rows = keyValueStore({ key: integer, value: type<Uint8Array>() });
const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});
const relay = agent({
  stores: { counts },
  entry: "first",
  result: type<number>(),
  nodes: {
    first: node({ input: type<string>(), to: ["second"] }),
    second: node({ input: type<string>() }),
  },
}).implement({
  async first(ctx, file) {
    while (!existsSync(file)) await pause(5);
    await ctx.stores.counts.update("add", "first", 1);
    ctx.emit("second", file);
  },
  async second(ctx) {
    ctx.result(await ctx.stores.counts.update("add", "second", 1));
  },
});

const fullDisk = topology("full-disk", import.meta.url, {
  stores: { rows, counts },
  agents: { relay },
});
export default fullDisk;

type FullDisk = Runtime<(typeof fullDisk)["parts"]>;

const mib = 1024 * 1024;
const marks = { diskLowBytes: 16 * mib, diskReserveBytes: 8 * mib };
/** Given back at the end: more than what is missing to both marks. */
const ballastBytes = 16 * mib;
/** Small, so that what is written between two looks is small beside the marks. */
const valueBytes = 4_096;
const invocations = 5;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function open(mount: string): Promise<FullDisk> {
  const directory = join(mount, "data");
  return launch(fullDisk, { directory, tasks: 2, threads: 1, arenaBytes: mib, ...marks });
}

function contentOf(key: number): Uint8Array {
  return new Uint8Array(valueBytes).fill(key % 251);
}

/** Puts row after row until that is refused; returns how many were acknowledged. */
async function fill(runtime: FullDisk): Promise<number> {
  for (let key = 0; ; key += 1) {
    try {
      await runtime.store("rows").put(key, contentOf(key));
    } catch (error) {
      assert(PartitaError.is(error, "DISK_LOW"), String(error));
      assert(error.details.freeBytes < marks.diskLowBytes);
      return key;
    }
  }
}

async function assertRows(runtime: FullDisk, acknowledged: number): Promise<void> {
  let found = 0;
  for await (const [key, value] of runtime.store("rows").entries()) {
    assert.deepEqual(Buffer.from(value), Buffer.from(contentOf(key)));
    found += 1;
  }
  assert.equal(found, acknowledged);
}

async function untilLevel(runtime: FullDisk, level: string): Promise<void> {
  while ((await runtime.stats()).disk.level !== level) await pause(10);
}

/** Takes what is free beyond three quarters of the reserve: nothing, when a checkpoint has more. */
async function takeToReserve(mount: string): Promise<void> {
  const { bavail, bsize } = await statfs(mount);
  const bytes = Math.max(0, bavail * bsize - (marks.diskReserveBytes * 3) / 4);
  writeFileSync(join(mount, "others"), new Uint8Array(bytes));
}

async function main(mount: string, goFile: string): Promise<void> {
  const ballast = join(mount, "ballast");
  writeFileSync(ballast, new Uint8Array(ballastBytes));
  const runtime = await open(mount);
  const begun = [];
  for (let n = 0; n < invocations; n += 1)
    begun.push(await runtime.agent("relay").initiate(goFile));
  const acknowledged = await fill(runtime);
  say(`low ${acknowledged}`);
  await assert.rejects(runtime.store("rows").delete(1), { code: "DISK_LOW" });
  await assert.rejects(runtime.agent("relay").initiate(goFile), { code: "DISK_LOW" });
  await assertRows(runtime, acknowledged);

  await takeToReserve(mount);
  await untilLevel(runtime, "reserve");
  writeFileSync(goFile, "");
  const count = (name: string): Promise<number> => runtime.store("counts").get(name, 0);
  while ((await count("first")) < invocations) await pause(10);
  // All first nodes have ended; the second ones wait for as long as the disk is full.
  await pause(500);
  assert.equal(await count("second"), 0);
  say("reserve");

  rmSync(ballast);
  rmSync(join(mount, "others"));
  const results = await Promise.all(begun.map((invocation) => invocation.result()));
  assert.deepEqual(results.toSorted(), [1, 2, 3, 4, 5]);
  await untilLevel(runtime, "open");
  await runtime.store("rows").put(acknowledged, contentOf(acknowledged));
  await runtime.close();
  say("closed");

  const second = await open(mount);
  await assertRows(second, acknowledged + 1);
  assert.equal(await second.store("counts").get("second"), invocations);
  await second.close();
  say(`ok ${acknowledged}`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [mount = "", goFile = ""] = process.argv.slice(2);
  await main(mount, goFile);
}
