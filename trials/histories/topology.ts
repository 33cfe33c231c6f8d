// Topology — registers, and nodes that act as their clients.

import { existsSync, writeFileSync } from "node:fs";
import { threadId } from "node:worker_threads";
import { agent, keyValueStore, node, string, topology, type } from "../../index.js";
import { HistoryClient, type HistoryTask, nextRegister, type Register } from "./client.js";

const registers = keyValueStore({
  key: string,
  value: type<Register>(),
  updates: {
    write: (current: Register | undefined, by: string, paddingBytes: number): Register =>
      nextRegister(current, by, paddingBytes),
    /** Ends the thread that owns the key. */
    exit: (_current: Register | undefined, status: number): Register => process.exit(status),
  },
});

/** What a node is to do; it is keyed by the client's name, which decides on which thread. */
export interface NodeTask extends HistoryTask {
  /** A file that says that the node has begun: it is run again, and what it would see is old. */
  readonly mark: string;
}

const historian = agent({
  stores: { registers },
  entry: "perform",
  result: type<number>(),
  nodes: { perform: node({ input: type<NodeTask>(), key: ({ client }) => client }) },
}).implement({
  async perform(ctx, { mark, ...task }) {
    if (!existsSync(mark)) {
      writeFileSync(mark, "");
      await new HistoryClient(ctx.stores.registers, task).run();
    }
    ctx.result(threadId);
  },
});

export default topology("histories", import.meta.url, {
  stores: { registers },
  agents: { historian },
});
