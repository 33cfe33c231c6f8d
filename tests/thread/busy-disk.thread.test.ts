// A disk that fills up while nobody looks at it but the tasks that fill it. Bugs here would look
// like a process that ends because a write has failed.
// Where nothing can be mounted (no root, no Linux) the test says so and tests nothing; when a task
// looks is tested in tests/unit/runtime/disk-meter.test.ts.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { mountRefusal, startMounted } from "../support/child-process.js";
import { tempDirectory } from "../support/temp-directory.js";

it("holds nodes on a full disk while the launching thread is busy, and loses nothing", async () => {
  const mount = join(tempDirectory(), "mount");
  mkdirSync(mount);
  const refusal = mountRefusal(mount);
  if (refusal !== undefined) {
    process.stderr.write(`busy-disk: nothing was tested, a tmpfs cannot be mounted: ${refusal}\n`);
    return;
  }
  const child = startMounted("busy-disk.js", mount, "64m");
  const said: string[] = [];
  for await (const line of child.lines) said.push(line);

  expect(await child.exit, child.errors()).toEqual({ code: 0, signal: null });
  expect(child.errors()).toBe("");
  const [held, ok] = said.map((line) => Number(line.split(" ")[1]));
  expect(said).toEqual([`held ${held}`, `ok ${ok}`]);
  expect(ok).toBeGreaterThan(held ?? 0);
});
