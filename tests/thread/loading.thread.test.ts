// Loading — a thread whose modules are being loaded must not be ended: native code among them does
// not bear it, and takes the process with it. A bug here would look like a process that dies, now
// and then, of a launch that is refused or of a close.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { launch } from "../../dist/index.js";
import slowLoading, { loadedFile, loading } from "../../dist/tests/topologies/slow-loading.js";
import { refusal } from "../support/outcomes.js";
import { tempDirectory } from "../support/temp-directory.js";

/** A launch whose first thread takes so long, and whose others fail. */
async function refusedWhileOneLoads(ms: number) {
  const folder = tempDirectory();
  process.env[loading.folder] = folder;
  process.env[loading.ms] = String(ms);
  onTestFinished(() => {
    delete process.env[loading.folder];
    delete process.env[loading.ms];
  });
  const directory = tempDirectory();
  const options = { directory, tasks: 3, threads: 3 };
  const { details } = await refusal(launch(slowLoading, options), "MODULE_INVALID");
  expect(details).toHaveProperty("reason", "there is another thread that loads this module");
  return { directory, hasLoaded: existsSync(join(folder, loadedFile)) };
}

describe("loading — a launch that is refused while another thread still loads its modules", () => {
  it("ends that thread when it has loaded them, and not before", async () => {
    const { directory, hasLoaded } = await refusedWhileOneLoads(1_000);
    expect(hasLoaded).toBe(true);
    delete process.env[loading.folder];
    await using runtime = await launch(slowLoading, { directory, tasks: 3, threads: 3 });
    await runtime.store("texts").put("a", "b");
    expect(await runtime.store("texts").get("a")).toBe("b");
  });

  it("ends it all the same when that takes for ever", async () => {
    const { hasLoaded } = await refusedWhileOneLoads(Number.POSITIVE_INFINITY);
    expect(hasLoaded).toBe(false);
  });
});
