// Tales — an agent whose nodes stream, some of them in several attempts.

import { agent, gather, list, node, scatter, type } from "../../index.js";
import { counts } from "./counts.js";

export interface Tale {
  readonly id: string;
  readonly parts: readonly Part[];
}

interface Part {
  /** How many chunks it streams. */
  readonly count: number;
  /** Attempts in which it throws when it has streamed half of them. */
  readonly throwsBelow: number;
}

/** The number of a chunk, and the attempt that has streamed it. */
export interface StreamedChunk {
  readonly chunk: number;
  readonly attempt: number;
}

interface NumberedPart extends Part {
  readonly id: string;
  readonly part: number;
}

export const tales = agent({
  stores: { counts },
  entry: "begin",
  result: type<string>(),
  maxRetries: 3,
  nodes: {
    begin: scatter({ input: type<Tale>(), to: ["write"], carry: type<string>() }),
    write: node({ input: type<NumberedPart>(), to: ["told"], key: ({ part }) => part }),
    told: gather({ collect: list(type<string>()), carry: type<string>() }),
  },
}).implement({
  begin(ctx, { id, parts }) {
    for (const [part, given] of parts.entries()) ctx.emit("write", { id, part, ...given });
    return id;
  },
  async write(ctx, { id, part, count, throwsBelow }) {
    for (let chunk = 0; chunk < count; chunk += 1) {
      const sent = ctx.chunk({ chunk, attempt: ctx.attempt });
      if (chunk % 2 === 0) await sent;
      if (chunk === count >> 1 && ctx.attempt < throwsBelow) {
        throw new RangeError(`part ${part} in ${ctx.attempt}`);
      }
    }
    await ctx.stores.counts.update("add", `${id} part ${part}`, 1);
    ctx.emit("told", id);
  },
  async told(ctx, ids, id) {
    // A fork has one part of its own among those of its parent.
    const own = ids.find((other) => other !== id) ?? id;
    await ctx.stores.counts.update("add", `${own} told ${ids.length}`, 1);
    ctx.result(own);
  },
});
