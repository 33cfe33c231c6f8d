// Neighbours — two topologies of one module: one keeps accounts, the other's nodes use them, and
// objects of their threads.

import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { threadId } from "node:worker_threads";
import {
  agent,
  agentRef,
  keyValueStore,
  node,
  object,
  storeRef,
  string,
  topology,
  type,
} from "../../index.js";

const balances = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { deposit: (cents = 0, amount: number) => cents + amount },
});

const deposit = agent({
  stores: { balances },
  entry: "add",
  result: type<number>(),
  nodes: { add: node({ input: type<{ owner: string; cents: number }>() }) },
}).implement({
  async add(ctx, { owner, cents }) {
    ctx.result(await ctx.stores.balances.update("deposit", owner, cents));
  },
});

/** Asks a human. */
const confirm = agent({
  entry: "ask",
  result: type<string>(),
  nodes: { ask: node({ input: type<string>() }) },
}).implement({
  async ask(ctx, owner) {
    ctx.result(await ctx.askHuman<string>(`is it ${owner}?`));
  },
});

/** Ends its thread, unless there is the file that it makes before. */
const killer = agent({
  entry: "kill",
  result: type<string>(),
  nodes: { kill: node({ input: type<string>() }) },
}).implement({
  kill(ctx, file) {
    if (existsSync(file)) return ctx.result("died");
    writeFileSync(file, "");
    process.exit(7);
  },
});

export const accounts = topology("accounts", import.meta.url, {
  stores: { balances },
  agents: { deposit, confirm, killer },
});

/** Waits for the other topology, which waits for a human. */
const teller = agent({
  agents: { confirm: agentRef(accounts, "confirm") },
  entry: "ask",
  result: type<string>(),
  nodes: { ask: node({ input: type<string>() }) },
}).implement({
  async ask(ctx, owner) {
    ctx.result(`${owner}: ${await ctx.agents.confirm.invoke(owner)}`);
  },
});

/** Deposits, ends its thread the first time when there is a file for that, reads, and tells. */
const saver = agent({
  stores: { balances: storeRef(accounts, "balances") },
  agents: { deposit: agentRef(accounts, "deposit") },
  entry: "save",
  result: type<{ owner: string; after: number; read: number | undefined }>(),
  nodes: { save: node({ input: type<{ owner: string; diedFile?: string }>() }) },
}).implement({
  async save(ctx, { owner, diedFile }) {
    const begun = await ctx.agents.deposit.initiate({ owner, cents: 5 });
    // What it reads of stores is replayed: only the world outside tells one run from another.
    if (diedFile !== undefined && !existsSync(diedFile)) {
      writeFileSync(diedFile, "");
      process.exit(7);
    }
    const after = await begun.result();
    ctx.result({ owner, after, read: await ctx.stores.balances.get(owner) });
  },
});

/** On which thread it was built; no two have the same id. */
const sharedObject = object({ build: () => ({ threadId, id: randomUUID() }), shared: true });
const pooled = object({ build: () => ({ id: randomUUID() }), limit: 2 });

/** Writes into a file on which thread it was closed. */
const notebook = object({
  build: () => {
    const files = new Set<string>();
    return {
      files,
      [Symbol.asyncDispose]: async () => {
        for (const file of files) appendFileSync(file, `${threadId}\n`);
      },
    };
  },
  shared: true,
});

const writer = agent({
  objects: { notebook },
  entry: "a",
  result: type<number>(),
  nodes: { a: node({ input: type<string>() }) },
}).implement({
  async a(ctx, file) {
    (await ctx.objects.notebook()).files.add(file);
    ctx.result(threadId);
  },
});

const lender = agent({
  objects: { sharedObject, pooled },
  entry: "a",
  result: type<{ threadId: number; id: string }>(),
  nodes: { a: node({ input: type<string>() }) },
}).implement({
  // Every thread has module state of its own: who has what is told to all in a file.
  async a(ctx, file) {
    const { id } = await ctx.objects.pooled();
    appendFileSync(file, `has ${threadId} ${id}\n`);
    const made = await ctx.objects.sharedObject();
    await ctx.run("pause", () => null);
    appendFileSync(file, `ends ${threadId} ${id}\n`);
    ctx.result(made);
  },
});

export const savings = topology("savings", import.meta.url, {
  agents: { saver, lender, writer, teller, killer },
  objects: { sharedObject, pooled, notebook },
});
