// Schemas of other libraries in a launched topology. Bugs here would look like a bad value that is
// kept, or a good one that comes back as something else.
import { type as arktype } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { agent, keyValueStore, node, string, topology } from "../../../index.js";
import { inlineCluster } from "../../support/inline-cluster.js";

interface Point {
  x: number;
  name: string;
}

const grow = (point: Point | undefined, by: number): Point => ({
  name: point?.name ?? "new",
  x: (point?.x ?? 0) + by,
});
const updates = { grow };
const zod = keyValueStore({
  key: string,
  value: z.object({ x: z.number(), name: z.string() }),
  updates,
});
const valibot = keyValueStore({
  key: string,
  value: v.object({ x: v.number(), name: v.string() }),
  updates,
});
const ark = keyValueStore({
  key: string,
  value: arktype({ x: "number", name: "string" }),
  updates,
});

const double = agent({
  entry: "double",
  result: v.number(),
  nodes: { double: node({ input: z.object({ x: z.number().max(10) }) }) },
}).implement({ double: (ctx, { x }) => ctx.result(x * 2) });

const declared = topology("schemas", import.meta.url, {
  stores: { zod, valibot, ark },
  agents: { double },
});

describe("schemas — zod, valibot and arktype in a launched topology", () => {
  it.each(["zod", "valibot", "ark"] as const)(
    "keeps what %s accepts and refuses the rest",
    async (name) => {
      const runtime = await inlineCluster(declared);
      const store = runtime.store(name);
      await store.put("a", { x: 1, name: "one" });
      expect(await store.update("grow", "a", 2)).toEqual({ x: 3, name: "one" });
      // cast: what a caller without types could pass.
      const bad = { x: "1", name: "one" } as unknown as Point;
      await expect(store.put("a", bad)).rejects.toMatchObject({
        code: "SCHEMA_INVALID",
        details: { issues: [{ path: "$.x" }] },
      });
      // cast: likewise.
      const update = store.update("grow", "a", "2" as unknown as number);
      await expect(update).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
      expect(await store.get("a")).toEqual({ x: 3, name: "one" });
    },
  );

  it("checks messages where they are given", async () => {
    const runtime = await inlineCluster(declared);
    const client = runtime.agent("double");
    expect(await client.invoke({ x: 4 })).toBe(8);
    await expect(client.invoke({ x: 40 })).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
  });
});
