// Driving topology — agents of the simulator's trial that drive others step by step, that begin
// others and do not wait for them, and that call themselves while they hold a key.

import { agent, agentRef, node, PartitaError, type } from "../../index.js";
import { counts } from "./counts.js";
import { stage } from "./stage.js";
import { type Inquiry, inquiries, placeOf, type Prompt } from "./waiting-topology.js";

/** What a clerk does with an inquiry: answers all of it, or cancels it at the first question. */
export interface Errand {
  readonly inquiry: Inquiry;
  readonly leaves: boolean;
}

/** What a clerk answers: it says for which place. */
export function clerkToken(place: string): string {
  return `clerk at ${place}`;
}

/** Drives an inquiry by its steps, and answers it: no human hears of it. */
export const clerks = agent({
  agents: { inquiries },
  entry: "drive",
  result: type<number>(),
  maxRetries: 3,
  nodes: { drive: node({ input: type<Errand>() }) },
}).implement({
  async drive(ctx, { inquiry, leaves }) {
    stage().began(inquiry.id, "clerks", ctx.invocationId);
    const begun = await ctx.agents.inquiries.initiate(inquiry);
    for (;;) {
      const step = await begun.nextStep();
      if (step.kind === "result") return ctx.result(step.result.length);
      if (leaves) {
        await begun.cancel();
        return ctx.result(0);
      }
      // cast: what inquiries ask.
      const place = placeOf(step.question.prompt as Prompt);
      try {
        await begun.answer(step.question, { token: clerkToken(place) });
      } catch (error) {
        // It was asked again meanwhile, in a later attempt.
        if (!PartitaError.is(error, "QUESTION_STALE")) throw error;
      }
    }
  },
});

/** Walks that are begun side by side. */
export interface Lead {
  readonly id: string;
  readonly walks: number;
  /** So many leaders stand between it and those that walk. */
  readonly forwards: number;
}

/** Begins walks, or leaders that do, and waits for nothing but the time, which is long. */
export const leaders = agent({
  agents: {
    walks: agentRef<{ readonly id: string; readonly left: number }, string>("walks"),
    leaders: agentRef<Lead, string>("leaders"),
  },
  entry: "lead",
  result: type<string>(),
  nodes: { lead: node({ input: type<Lead>() }) },
}).implement({
  async lead(ctx, { id, walks, forwards }) {
    const { walks: walk, leaders: next } = ctx.agents;
    for (let begun = 0; begun < walks; begun += 1) {
      if (forwards > 0) await next.initiate({ id, walks: 1, forwards: forwards - 1 });
      else await walk.initiate({ id, left: 12 });
    }
    await ctx.sleep(leadMs);
    ctx.result(id);
  },
});

/** Far more than a cancel takes. */
const leadMs = 5_000;

/** Calls from key to key; the last may be one that is held already. */
export interface Knot {
  readonly id: string;
  readonly path: readonly string[];
  readonly at: number;
}

/** What `tie` needs of a context. */
interface Tying {
  count(name: string): Promise<unknown>;
  call(next: Knot): Promise<number>;
}

/** How many were not refused, from this one on. */
async function tie({ count, call }: Tying, knot: Knot): Promise<number> {
  const { id, path, at } = knot;
  await count(`${id} knot ${at}`);
  if (at + 1 === path.length) return 1;
  try {
    return 1 + (await call({ ...knot, at: at + 1 }));
  } catch (error) {
    if (!PartitaError.is(error, "INVOCATION_FAILED")) throw error;
    if (!PartitaError.is(error.cause, "KEY_DEADLOCK")) throw error;
    return 1;
  }
}

/** Keeps its key while it waits. */
export const knots = agent({
  stores: { counts },
  agents: { knots: agentRef<Knot, number>("knots") },
  entry: "tie",
  result: type<number>(),
  nodes: { tie: node({ input: type<Knot>(), key: ({ path, at }) => path[at] ?? "" }) },
}).implement({
  async tie(ctx, knot) {
    const count = (name: string) => ctx.stores.counts.update("add", name, 1);
    ctx.result(await tie({ count, call: (next) => ctx.agents.knots.invoke(next) }, knot));
  },
});

/** Lends its key while it waits. */
export const loops = agent({
  stores: { counts },
  agents: { loops: agentRef<Knot, number>("loops") },
  entry: "tie",
  result: type<number>(),
  nodes: {
    tie: node({ input: type<Knot>(), key: ({ path, at }) => path[at] ?? "", reentrant: true }),
  },
}).implement({
  async tie(ctx, knot) {
    const count = (name: string) => ctx.stores.counts.update("add", name, 1);
    ctx.result(await tie({ count, call: (next) => ctx.agents.loops.invoke(next) }, knot));
  },
});
