import { expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import faults from "../../dist/tests/topologies/faults.js";
import { tempDirectory } from "../support/temp-directory.js";

it("close at any moment of a restart", async () => {
  const thrown: unknown[] = [];
  process.on("uncaughtException", (e) => thrown.push(e));
  process.on("unhandledRejection", (e) => thrown.push(e));
  const seen: Record<string, number> = {};
  for (let i = 0; i < 24; i += 1) {
    const directory = tempDirectory();
    const closeTimeoutMs = [0, 60, 10_000][i % 3];
    const rt = await launch(faults, { directory, tasks: 4, threads: 2, closeTimeoutMs, onThreadExit: "restart" });
    const s = rt.store("counters");
    await s.put("a", 1);
    const pend = [s.update("exit", "a", 3)];
    for (let k = 0; k < 40; k += 1) pend.push(s.update("add", `k${k}`, 1));
    const ch = Array.from({ length: 10 }, (_, k) => rt.agent("chain").invoke({ id: `c${k}`, hop: 1, hops: 30 }));
    const outcomes = Promise.allSettled([...pend, ...ch]);
    if (i % 2) await pend[0].catch(() => {});
    await new Promise((r) => setTimeout(r, Math.floor(i / 2) * 12));
    const dr = rt.drain().catch((e) => e.code);
    const st = rt.stats().catch((e) => e.code);
    const t = Date.now();
    const how = await rt.close().then(() => "closed", (e) => `rejected ${e.code} ${e.message}`);
    if (Date.now() - t > 3000) console.log("slow close", i, Date.now() - t);
    await outcomes;
    const [d, x] = [await dr, await st];
    const label = `${closeTimeoutMs} ${how} drain ${d} stats ${typeof x === "string" ? x : "ok"}`;
    seen[label] = (seen[label] ?? 0) + 1;
    await using again = await launch(faults, { directory, tasks: 4, threads: 2 });
    expect(await again.store("counters").get("a")).toBe(1);
  }
  console.log(seen);
  expect(thrown).toEqual([]);
}, 120_000);
