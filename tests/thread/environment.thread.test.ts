// Environment — opened on several threads of a process, which close it or die in any order.

import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import { Environment } from "../../store/environment.js";
import { bytes } from "../support/storage-bytes.js";
import { tempDirectory } from "../support/temp-directory.js";
import type {
  EnvironmentThreadCall,
  EnvironmentThreadData,
} from "../topologies/environment-thread.js";

const file = new URL("../../dist/tests/topologies/environment-thread.js", import.meta.url);

async function start(data: EnvironmentThreadData): Promise<Worker> {
  const worker = new Worker(file, { workerData: data });
  onTestFinished(async () => {
    await worker.terminate();
  });
  await once(worker, "message");
  return worker;
}

async function ask(worker: Worker, call: EnvironmentThreadCall): Promise<unknown> {
  const answer = once(worker, "message");
  worker.postMessage(call);
  return (await answer)[0];
}

/** Ends a thread: by closing its environment, or at once. */
async function end(worker: Worker, how: "close" | "terminate"): Promise<void> {
  if (how === "terminate") {
    await worker.terminate();
    return;
  }
  const exit = once(worker, "exit");
  worker.postMessage({ call: "close" });
  await exit;
}

describe("environment — on several threads", () => {
  it("stays usable for the others when a thread closes it or dies", async () => {
    const path = join(tempDirectory(), "env");
    const own = Environment.open(path, { taskId: 1, readOnly: false });
    onTestFinished(() => own.close());
    let version = 0;
    for (const how of ["close", "terminate", "close", "terminate"] as const) {
      const threads = [
        await start({ path, readOnly: true }),
        await start({ path, readOnly: false }),
        await start({ path, readOnly: true }),
      ];
      while (threads.length > 0) {
        version += 1;
        own.applyStep([{ table: 16, key: bytes("key"), version, value: new Uint8Array(10) }]);
        for (const thread of threads) expect(await ask(thread, { call: "read" })).toBe(version);
        const last = threads.pop();
        if (last !== undefined) await end(last, how);
      }
    }
  });

  it("shows every thread what any of them has written, as soon as it refreshes", async () => {
    const path = join(tempDirectory(), "env");
    const own = Environment.open(path, { taskId: 1, readOnly: false });
    onTestFinished(() => own.close());
    const writer = await start({ path, readOnly: false });
    const reader = await start({ path, readOnly: true });
    for (let version = 1; version <= 100; version += 1) {
      expect(await ask(writer, { call: "write", version })).toBe(version);
      expect(await ask(reader, { call: "read" })).toBe(version);
      own.refresh();
      expect(own.get(16, bytes("key"))?.version).toBe(version);
    }
  });

  it("survives its first opener: what is left open goes on", async () => {
    const path = join(tempDirectory(), "env");
    const first = await start({ path, readOnly: false });
    expect(await ask(first, { call: "write", version: 1 })).toBe(1);
    const reader = await start({ path, readOnly: true });
    await end(first, "terminate");
    expect(await ask(reader, { call: "read" })).toBe(1);
    const second = await start({ path, readOnly: false });
    expect(await ask(second, { call: "write", version: 2 })).toBe(2);
    expect(await ask(reader, { call: "read" })).toBe(2);
    await end(reader, "close");
    expect(await ask(second, { call: "write", version: 3 })).toBe(3);
  });
});
