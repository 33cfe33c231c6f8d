// Errands — invocations that are tried again and cancelled, on real threads.
//
// Everything that happens is counted in a store, so that tests see it from outside: nothing is kept
// in the module, which every thread has for itself.

import {
  agent,
  gather,
  keyValueStore,
  list,
  node,
  PartitaError,
  scatter,
  string,
  topology,
  type,
} from "../../index.js";

const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});

export interface Errand {
  readonly id: string;
  readonly pieces: number;
  /** Attempts in which the last piece throws, when all others are done or hang. */
  readonly throwsBelow: number;
  /** The first piece hangs in the first attempt until its signal aborts. */
  readonly hangs: boolean;
}

interface Piece extends Errand {
  readonly piece: number;
}

const errands = agent({
  stores: { counts },
  entry: "begin",
  result: type<readonly number[]>(),
  maxRetries: 4,
  nodes: {
    begin: scatter({ input: type<Errand>(), to: ["piece"] }),
    piece: node({ input: type<Piece>(), to: ["done"], key: ({ piece }) => piece }),
    done: gather({ collect: list(type<number>()) }),
  },
}).implement({
  async begin(ctx, errand) {
    await ctx.stores.counts.update("add", `${errand.id} begin`, 1);
    for (let piece = 0; piece < errand.pieces; piece += 1) ctx.emit("piece", { ...errand, piece });
  },
  async piece(ctx, { id, piece, pieces, throwsBelow, hangs }) {
    const { counts: store } = ctx.stores;
    await store.update("add", `${id} piece ${piece}`, 1);
    if (piece === 0 && hangs && ctx.attempt === 0) {
      await aborted(ctx.signal);
      const refused = await store.update("add", `${id} orphan`, 1).catch((error: unknown) => error);
      // A failure of an orphan is refused as well.
      throw PartitaError.is(refused, "INVOCATION_RETRIED") ? refused : new Error("not refused");
    }
    if (piece === pieces - 1 && ctx.attempt < throwsBelow) {
      for (let other = hangs ? 1 : 0; other < pieces; other += 1) {
        while ((await store.get(`${id} piece ${other}`)) === undefined) await turn();
      }
      throw new RangeError(`attempt ${ctx.attempt}`);
    }
    ctx.emit("done", piece);
  },
  async done(ctx, pieces, _carry) {
    ctx.result(pieces);
  },
});

/** Goes on by itself, for a long time. */
const walks = agent({
  stores: { counts },
  entry: "step",
  result: type<never>(),
  nodes: {
    step: node({
      input: type<{ readonly id: string; readonly n: number }>(),
      key: ({ id, n }) => [id, n % 4],
      to: ["step"],
    }),
  },
}).implement({
  async step(ctx, { id, n }) {
    await ctx.stores.counts.update("add", `${id} steps`, 1);
    if (n < 2_000) ctx.emit("step", { id, n: n + 1 });
  },
});

/** Waits until its signal aborts, and says so. */
const waits = agent({
  stores: { counts },
  entry: "wait",
  result: type<never>(),
  nodes: { wait: node({ input: type<string>() }) },
}).implement({
  async wait(ctx, id) {
    await ctx.stores.counts.update("add", `${id} waits`, 1);
    await aborted(ctx.signal);
    const code = PartitaError.is(ctx.signal.reason) ? ctx.signal.reason.code : "none";
    await ctx.stores.counts.update("add", `${id} ends with ${code}`, 1);
  },
});

/** Resolves when others of the thread had their turn: reads alone do not wait. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
    if (signal.aborted) resolve(undefined);
  });
}

export default topology("errands", import.meta.url, {
  stores: { counts },
  agents: { errands, walks, waits },
});
