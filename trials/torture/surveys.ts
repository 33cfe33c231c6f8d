// Surveys — an agent that does everything at once: it scatters to checks that stream and of which
// some fail, gathers what they say, and calls an agent that asks a human.
//
// Each check, the agent that is called and the gather leave a row, as chains and fans do. Its
// result is the number of these rows; another number when something that it saw was not as it is.

import {
  type AgentRef,
  agent,
  agentRef,
  gather,
  keyValueStore,
  list,
  node,
  scatter,
  string,
  type,
} from "../../index.js";
import { makeBody, mark } from "./body.js";
import { type Begin, effects } from "./effects-store.js";

/** The tokens that a survey was answered with, by its invocation. */
export const answers = keyValueStore({
  key: string,
  value: type<readonly string[]>(),
  updates: { take: (taken: readonly string[] = [], token: string) => [...taken, token] },
});

export interface Check extends Begin {
  readonly step: number;
  readonly place: string;
}

export interface Question extends Begin {
  readonly survey: string;
}

/** What a check streams: number `index`, in a body that only it has. */
export interface CheckChunk {
  readonly step: number;
  readonly index: number;
  readonly attempt: number;
  readonly body: Uint8Array;
}

/** How many chunks a check streams. */
export const checkChunks = 3;
/** The rows of a survey beside those of its checks. */
const otherRows = 2;

/** How many checks a survey has that leaves `of` rows. */
export function checksOf(of: number): number {
  return of - otherRows;
}

/** Bytes of a chunk, at most: a message is smaller than the largest body. */
const chunkBytesMax = 65_536;

/** The body of a chunk. */
export function chunkBody(call: string, step: number, index: number): Uint8Array {
  const body = makeBody(mark(`${call} chunk`, step * checkChunks + index));
  return body.subarray(0, chunkBytesMax);
}

const confirmRef: AgentRef<Question, string> = agentRef<Question, string>("confirm");

/** Asks a human; what he says is noted once. */
export const confirm = agent({
  stores: { effects, answers },
  entry: "ask",
  result: type<string>(),
  nodes: { ask: node({ input: type<Question>() }) },
}).implement({
  async ask(ctx, { of, call, survey }) {
    const token = await ctx.askHuman<string>(call);
    await ctx.stores.answers.update("take", survey, token);
    const place = `${survey} child`;
    await ctx.stores.effects.update("note", place, { of, call }, ctx.nodeInvocationId);
    ctx.result(token);
  },
});

export const survey = agent({
  stores: { effects, answers },
  agents: { confirm: confirmRef },
  entry: "begin",
  result: type<number>(),
  maxRetries: 4,
  nodes: {
    begin: scatter({ input: type<Begin>(), to: ["check"], carry: type<Begin>() }),
    check: node({ input: type<Check>(), key: ({ place }) => place, to: ["end"] }),
    end: gather({ collect: list(type<number>()), carry: type<Begin>() }),
  },
}).implement({
  begin(ctx, message) {
    for (let step = 1; step <= checksOf(message.of); step += 1) {
      ctx.emit("check", { ...message, step, place: `${ctx.invocationId} ${step}` });
    }
    return message;
  },
  async check(ctx, { of, call, step, place }) {
    for (let index = 0; index < checkChunks; index += 1) {
      const body = chunkBody(call, step, index);
      void ctx.chunk({ step, index, attempt: ctx.attempt, body } satisfies CheckChunk);
      if (index === 0) {
        await ctx.stores.effects.update("note", place, { of, call }, ctx.nodeInvocationId);
      }
    }
    if (ctx.attempt === 0 && mark(call, step) % 3 === 0) throw new RangeError(`${call} ${step}`);
    ctx.emit("end", step);
  },
  async end(ctx, steps, { of, call }) {
    const { invocationId, attempt } = ctx;
    const token = await ctx.agents.confirm.invoke({ of, call, survey: invocationId });
    const place = `${invocationId} end`;
    await ctx.stores.effects.update("note", place, { of, call }, ctx.nodeInvocationId);
    // What was called is done: the next attempt finds its answer.
    if (attempt < 2 && mark(call, 0) % 4 === 0) throw new RangeError(`${call} in ${attempt}`);
    const [taken] = (await ctx.stores.answers.get(invocationId)) ?? [];
    const sum = steps.reduce((total, step) => total + step, 0);
    const checks = checksOf(of);
    const isSound = token === taken && sum === (checks * (checks + 1)) / 2;
    ctx.result(isSound ? of : -1);
  },
});
