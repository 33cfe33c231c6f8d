// Writers — nodes that stream, on real threads: some end their thread in the middle, once.

import { existsSync, writeFileSync } from "node:fs";
import { agent, keyValueStore, node, string, topology, type } from "../../index.js";

export interface Work {
  readonly id: string;
  /** How many chunks each writer streams. */
  readonly counts: readonly number[];
  /** The first writer ends its thread in the middle, unless this file is there. */
  readonly diedFile?: string;
}

interface Part extends Work {
  readonly no: number;
}

const ends = keyValueStore({ key: string, value: type<number>() });

const writers = agent({
  stores: { ends },
  entry: "begin",
  result: type<string>(),
  nodes: {
    begin: node({ input: type<Work>(), to: ["write"] }),
    write: node({ input: type<Part>(), to: ["end"], key: ({ id, no }) => `${id} ${no}` }),
    end: node({ input: type<Part>() }),
  },
}).implement({
  begin(ctx, work) {
    for (let no = 0; no < work.counts.length; no += 1) ctx.emit("write", { ...work, no });
  },
  async write(ctx, part) {
    const { no, counts, diedFile } = part;
    const count = counts[no] ?? 0;
    for (let chunk = 0; chunk < count; chunk += 1) {
      const sent = ctx.chunk(chunk);
      if (chunk % 7 === 0) await sent;
      if (no > 0 || diedFile === undefined || chunk !== count >> 1) continue;
      if (existsSync(diedFile)) continue;
      writeFileSync(diedFile, "");
      process.exit(7);
    }
    ctx.emit("end", part);
  },
  async end(ctx, { id, no }) {
    await ctx.stores.ends.put(`${id} ${no}`, no);
    ctx.result(id);
  },
});

export default topology("writers", import.meta.url, { stores: { ends }, agents: { writers } });
