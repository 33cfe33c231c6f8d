// Busy disk — nodes fill a small disk while the launching thread does nothing but hold still.
//
//   node busy-disk.js <mount>
//
// Nothing but the tasks themselves can see that the disk fills up. Says `held <rows>` when they
// have stopped, `ok <rows>` when all of them are there after a restart.

import { strict as assert } from "node:assert";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import {
  agent,
  integer,
  keyValueStore,
  launch,
  node,
  type Runtime,
  string,
  topology,
  type,
} from "../../index.js";

const mib = 1024 * 1024;
const marks = { diskLowBytes: 16 * mib, diskReserveBytes: 8 * mib };
const valueBytes = 32_768;
/** More than the disk has room for. */
const rowsEach = 1_500;
const chains = 2;

const rows = keyValueStore({ key: integer, value: type<Uint8Array>() });
const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});
/** Writes a row, and has the next one written. */
const filling = agent({
  stores: { rows, counts },
  entry: "write",
  result: type<number>(),
  nodes: {
    write: node({ input: type<{ first: number; left: number }>(), to: ["write"] }),
  },
}).implement({
  async write(ctx, { first, left }) {
    const key = first + left;
    await ctx.stores.rows.put(key, new Uint8Array(valueBytes).fill(key % 251));
    await ctx.stores.counts.update("add", "rows", 1);
    if (left === 0) ctx.result(first);
    else ctx.emit("write", { first, left: left - 1 });
  },
});

const busyDisk = topology("busy-disk", import.meta.url, {
  stores: { rows, counts },
  agents: { filling },
});
export default busyDisk;

type BusyDisk = Runtime<(typeof busyDisk)["parts"]>;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function open(mount: string): Promise<BusyDisk> {
  const directory = join(mount, "data");
  return launch(busyDisk, {
    directory,
    tasks: 2,
    threads: 2,
    // Larger than the disk: checkpoints would need the launching thread.
    arenaBytes: 32 * mib,
    closeTimeoutMs: 100,
    ...marks,
  });
}

/** Holds this thread still: no timer runs, no look is made. */
function holdStill(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

async function main(mount: string): Promise<void> {
  const ballast = join(mount, "ballast");
  writeFileSync(ballast, new Uint8Array(16 * mib));
  const runtime = await open(mount);
  for (let chain = 0; chain < chains; chain += 1) {
    await runtime.agent("filling").initiate({ first: chain * rowsEach, left: rowsEach - 1 });
  }
  // Direct reads need nothing of the event loop but the turn of this function.
  const written = (): Promise<number> => runtime.store("counts").get("rows", 0);
  let before = -1;
  for (let now = await written(); now !== before; now = await written()) {
    before = now;
    holdStill(1_500);
  }
  assert.ok(before < chains * rowsEach, "they were never held");
  say(`held ${before}`);
  rmSync(ballast);
  while ((await written()) === before) await pause(10);
  await runtime.close();
  const second = await open(mount);
  const kept = await second.store("counts").get("rows", 0);
  let found = 0;
  for await (const [key, value] of second.store("rows").entries()) {
    assert.equal(value[0], key % 251);
    found += 1;
  }
  assert.ok(kept > before && found >= kept);
  await second.close();
  say(`ok ${found}`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(process.argv[2] ?? "");
}
