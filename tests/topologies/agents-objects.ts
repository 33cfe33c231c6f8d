// Objects — what nodes borrow. Each says in the notes what becomes of it.

import { randomUUID } from "node:crypto";
import { threadId } from "node:worker_threads";
import { agent, node, object, topology, type } from "../../index.js";
import { addNote, faults, note, noted, place } from "./agents-notes.js";

/** One of a pool, or the one of its thread; no two have the same name. */
class Tool {
  readonly name: string;
  readonly notes: Set<string> = new Set();

  constructor(name: string) {
    this.name = `${name} ${threadId} ${randomUUID()}`;
  }

  close(): void {
    for (const directory of this.notes) addNote(directory, `closed ${this.name}`);
  }
}

const settings = { color: "red" };
const value = object(settings);
const shared = object({
  build: async (context) => new Tool(`shared ${(await context.get(value)).color}`),
  shared: true,
});
const pooled = object({ build: () => new Tool("pooled"), limit: 2 });
const scarce = object({ build: () => new Tool("scarce"), limit: 1, acquireTimeoutMs: 100 });

const sharing = agent({
  objects: { value, shared },
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<number>(), key: (n) => n }) },
}).implement({
  async a(ctx) {
    const tool = await ctx.objects.shared();
    tool.notes.add(String(ctx.metadata["notes"]));
    const isSame = (await ctx.objects.value()) === settings;
    ctx.result(isSame ? tool.name : "another value");
  },
});

const lending = agent({
  objects: { pooled },
  maxRetries: 0,
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<{ n: number; throws: boolean }>(), key: ({ n }) => n }) },
}).implement({
  async a(ctx, { n, throws }) {
    const { name } = await ctx.objects.pooled();
    note(ctx, `has ${name}`);
    if (n === 1) await place(ctx, "has");
    await ctx.sleep(1);
    note(ctx, `ends ${name}`);
    if (throws) throw new Error("it fails");
    ctx.result(name);
  },
});

const waiting = agent({
  objects: { scarce },
  entry: "a",
  result: type<string>(),
  nodes: { a: node({ input: type<number>(), key: (n) => n }) },
}).implement({
  async a(ctx) {
    try {
      const { name } = await ctx.objects.scarce();
      await noted(ctx, "go");
      ctx.result(name);
    } catch (error) {
      note(ctx, error instanceof Error ? error.message.slice(0, 25) : "no error");
      ctx.result("none");
    }
  },
});

export default topology("agents-objects", import.meta.url, {
  stores: { faults },
  objects: { value, shared, pooled, scarce },
  agents: { sharing, lending, waiting },
});
