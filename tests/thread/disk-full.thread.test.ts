// A disk that really fills up: a tmpfs that only one process sees. Bugs here would look like a
// process that ends because a write has failed, or something acknowledged that is gone.
// Where nothing can be mounted (no root, no Linux) the test says so and tests nothing; the levels
// themselves are tested in tests/unit/runtime/disk-low.test.ts.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { mountRefusal, startMounted } from "../support/child-process.js";
import { tempDirectory } from "../support/temp-directory.js";

it("refuses work on a disk that fills up, survives, and goes on when there is room", async () => {
  const directory = tempDirectory();
  const mount = join(directory, "mount");
  mkdirSync(mount);
  const refusal = mountRefusal(mount);
  if (refusal !== undefined) {
    process.stderr.write(`disk-full: nothing was tested, a tmpfs cannot be mounted: ${refusal}\n`);
    return;
  }
  const child = startMounted("full-disk.js", mount, "64m", join(directory, "go"));
  const said: string[] = [];
  for await (const line of child.lines) said.push(line);

  expect(await child.exit, child.errors()).toEqual({ code: 0, signal: null });
  expect(child.errors()).toBe("");
  const acknowledged = Number(said.at(-1)?.split(" ")[1]);
  expect(said).toEqual([`low ${acknowledged}`, "reserve", "closed", `ok ${acknowledged}`]);
  expect(acknowledged).toBeGreaterThan(100);
});
