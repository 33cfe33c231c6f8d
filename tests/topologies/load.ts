// Load — a topology for tests with many clients: counters, registers, and nodes that act as
// clients.

import { threadId } from "node:worker_threads";
import { agent, keyValueStore, node, string, topology, type } from "../../index.js";
import {
  type GazeTask,
  type HistoryNote,
  type HistoryTask,
  performGaze,
  performHistory,
  type Register,
  registerUpdates,
} from "./history-client.js";

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count: number | undefined, by: number) => (count ?? 0) + by },
});

const registers = keyValueStore({
  key: string,
  value: type<Register>(),
  updates: registerUpdates,
});

const texts = keyValueStore({ key: string, value: type<string>() });

/** Where a node ran, and what it has found. */
export interface ThreadHistory {
  readonly threadId: number;
  readonly notes: HistoryNote[];
}

/** A node that is a client of the registers. Keyed: the names decide which task runs it. */
const historian = agent({
  stores: { registers },
  entry: "perform",
  result: type<ThreadHistory>(),
  nodes: { perform: node({ input: type<HistoryTask>(), key: ({ client }) => client }) },
}).implement({
  async perform(ctx, task) {
    ctx.result({ threadId, notes: await performHistory(ctx.stores.registers, task) });
  },
});

const gazer = agent({
  stores: { registers },
  entry: "gaze",
  result: type<ThreadHistory>(),
  nodes: { gaze: node({ input: type<GazeTask>(), key: ({ client }) => client }) },
}).implement({
  async gaze(ctx, task) {
    ctx.result({ threadId, notes: await performGaze(ctx.stores.registers, task) });
  },
});

/** What `adder` does: that many times, each key once, all at the same time. */
export interface Additions {
  readonly client: string;
  readonly keys: readonly string[];
  readonly times: number;
  readonly how: "update" | "modify";
}

const adder = agent({
  stores: { counters },
  entry: "add",
  result: type<number>(),
  nodes: { add: node({ input: type<Additions>(), key: ({ client }) => client }) },
}).implement({
  async add(ctx, { keys, times, how }) {
    for (let round = 0; round < times; round += 1) {
      await Promise.all(
        keys.map((key) =>
          how === "update"
            ? ctx.stores.counters.update("add", key, 1)
            : ctx.stores.counters.modify(key, (count = 0) => count + 1),
        ),
      );
    }
    ctx.result(threadId);
  },
});

/** What a node on another thread sees of a key, in three ways. */
export interface Observation {
  readonly threadId: number;
  readonly got: string | null;
  readonly gotMany: string | null;
  readonly scanned: string | null;
}

const observer = agent({
  stores: { texts },
  entry: "look",
  result: type<Observation>(),
  nodes: {
    look: node({
      input: type<{ readonly observer: string; readonly key: string }>(),
      key: (message) => message.observer,
    }),
  },
}).implement({
  async look(ctx, { key }) {
    const got = (await ctx.stores.texts.get(key)) ?? null;
    const [gotMany = null] = await ctx.stores.texts.getMany([key]);
    let scanned: string | null = null;
    for await (const [found, text] of ctx.stores.texts.entries({ from: key, limit: 1 })) {
      if (found === key) scanned = text;
    }
    ctx.result({ threadId, got, gotMany, scanned });
  },
});

export default topology("load", import.meta.url, {
  stores: { counters, registers, texts },
  agents: { historian, gazer, adder, observer },
});
