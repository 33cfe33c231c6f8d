import { it } from "vitest";
import { keyValueStore, string, topology, type, reply } from "../../index.js";
import { inlineCluster } from "../support/inline-cluster.js";
const s = keyValueStore({ key: string, value: type<unknown>(), updates: {
  fn: () => reply((() => 1) as unknown, 1),
  sur: () => reply("\ud800", 1),
  nargs: (_c, ...args: number[]) => args.length,
  sym: () => reply(Symbol("x") as unknown, 1),
  prox: () => new Proxy({}, { has() { throw new Error("trap"); } }),
  getter: () => ({ get a() { throw new Error("getter"); } }),
  big: () => reply("x".repeat(9_000_000), 1),
} });
const t = topology("ex", import.meta.url, { stores: { s } });
for (const u of ["fn","sur","sym","prox","getter","big"] as const) it(u, async () => {
  const c = await inlineCluster(t);
  console.log(u, await c.store("s").update(u, "k").catch((e) => ["ERR", e.code, e.message]));
}, 3000);
it("nargs", async () => { const c = await inlineCluster(t); console.log(await c.store("s").update("nargs", "k", ...new Array(300).fill(1))); }, 3000);
it("arena", async () => { const c = await inlineCluster(t, { arenaBytes: 1<<20 }); console.log(await c.store("s").put("k", "x".repeat(2_000_000)).catch((e) => e.code)); }, 3000);
