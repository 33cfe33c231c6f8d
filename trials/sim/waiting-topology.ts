// Waiting topology — agents of the simulator's trial that wait: for other agents, for humans, for
// time; and that stream meanwhile.
//
// What they do is counted under names of its own, as in topology.ts. What humans have answered is
// kept by the place that asked, and who sits where only one may sit.

import {
  agent,
  agentRef,
  gather,
  keyValueStore,
  list,
  node,
  reply,
  type Schema,
  scatter,
  string,
  sum,
  type,
} from "../../index.js";
import { counts } from "./counts.js";
import { stage } from "./stage.js";

/** The tokens that a place was answered with: `<id> <ask> <attempt>`. */
export const answers = keyValueStore({
  key: string,
  value: type<readonly string[]>(),
  updates: {
    take: (taken: readonly string[] = [], token: string) => [...taken, token],
  },
});

/** Who sits at a desk; nobody is nothing. */
export const desks = keyValueStore({
  key: string,
  value: type<string>(),
  updates: {
    enter: (sitting: string | undefined, who: string) => reply(sitting || who, sitting || who),
    leave: (sitting: string | undefined, who: string) => (sitting === who ? "" : (sitting ?? "")),
  },
});

/** Who sits at a desk, for whom. */
function sitterOf(id: string, nodeInvocationId: string): string {
  return `${id} ${nodeInvocationId}`;
}

/** The effect of finding somebody else at a desk. */
function intrusionOf(id: string, sitting: string): string {
  return `${id} intruded on ${sitting}`;
}

/** The name that somebody sat for whom others found at his desk; nothing for other effects. */
export function foundSitting(effect: string): string | undefined {
  return / intruded on (.+) [0-9a-f]{16}$/.exec(effect)?.[1];
}

/** A tree of invocations: each calls those below it, and throws so often once they are done. */
export interface Tree {
  readonly children: readonly Tree[];
  readonly throwsBelow: number;
  readonly asks: boolean;
  /** Begins its children one after the other, and then asks for their results. */
  readonly inTurn: boolean;
}

export interface Family {
  readonly id: string;
  readonly tree: Tree;
}

/** What a human is asked. */
export interface Prompt {
  readonly id: string;
  readonly ask: number;
  readonly attempt: number;
  readonly isChecked: boolean;
}

export interface Answer {
  readonly token: string;
}

export function placeOf({ id, ask, attempt }: Omit<Prompt, "isChecked">): string {
  return `${id} ${ask} ${attempt}`;
}

/** What `raise` needs of a context; `call` invokes, `begin` begins and is asked later. */
interface Parent {
  readonly attempt: number;
  count(name: string): Promise<unknown>;
  ask(prompt: Prompt): Promise<Answer>;
  take(place: string, token: string): Promise<unknown>;
  call(child: Family): Promise<number>;
  begin(child: Family): Promise<{ result(): Promise<number> }>;
}

/** Counts this one, calls all below it, and results in how many there are. */
async function raise(parent: Parent, { id, tree }: Family): Promise<number> {
  await parent.count(`${id} began`);
  const { attempt } = parent;
  if (tree.asks) {
    const prompt = { id, ask: 0, attempt, isChecked: false };
    await parent.take(placeOf(prompt), (await parent.ask(prompt)).token);
  }
  const children = tree.children.map((of, child) => ({ id: `${id}/${child}`, tree: of }));
  let total = 1;
  if (tree.inTurn) {
    const begun = [];
    for (const child of children) begun.push(await parent.begin(child));
    for (const child of begun) total += await child.result();
  } else {
    for (const result of await Promise.all(children.map((of) => parent.call(of)))) total += result;
  }
  if (attempt < tree.throwsBelow) throw new RangeError(`${id} in ${attempt}`);
  await parent.count(`${id} ended`);
  return total;
}

const familyRefs = {
  families: agentRef<Family, number>("families"),
  cousins: agentRef<Family, number>("cousins"),
};

/** Recursive, by way of the other: children are cousins, and the children of those are families. */
export const families = agent({
  stores: { counts, answers },
  agents: familyRefs,
  entry: "parent",
  result: type<number>(),
  maxRetries: 3,
  nodes: { parent: node({ input: type<Family>() }) },
}).implement({
  async parent(ctx, family) {
    const { counts: effects, answers: taken } = ctx.stores;
    const parent: Parent = {
      attempt: ctx.attempt,
      count: (name) => effects.update("add", name, 1),
      ask: (prompt) => ctx.askHuman<Answer>(prompt),
      take: (place, token) => taken.update("take", place, token),
      call: (child) => ctx.agents.cousins.invoke(child),
      begin: (child) => ctx.agents.cousins.initiate(child),
    };
    ctx.result(await raise(parent, family));
  },
});

export const cousins = agent({
  stores: { counts, answers },
  agents: familyRefs,
  entry: "parent",
  result: type<number>(),
  maxRetries: 3,
  nodes: { parent: node({ input: type<Family>() }) },
}).implement({
  async parent(ctx, family) {
    const { counts: effects, answers: taken } = ctx.stores;
    const parent: Parent = {
      attempt: ctx.attempt,
      count: (name) => effects.update("add", name, 1),
      ask: (prompt) => ctx.askHuman<Answer>(prompt),
      take: (place, token) => taken.update("take", place, token),
      call: (child) => ctx.agents.families.invoke(child),
      begin: (child) => ctx.agents.families.initiate(child),
    };
    ctx.result(await raise(parent, family));
  },
});

/** Questions of one invocation that are open side by side. */
export interface Inquiry {
  readonly id: string;
  readonly asks: readonly {
    readonly isChecked: boolean;
    readonly throwsBelow: number;
    /** Asks in the first attempt only: in later ones it does without an answer. */
    readonly once: boolean;
    readonly pauseMs: number;
    /** The desk at which it is asked, one at a time; its own when it is to be left standing. */
    readonly desk: string;
  }[];
  /** So many invocations stand between it and whoever answers. */
  readonly forwards: number;
}

/** Stands for an answer where nobody was asked. */
export const unasked = "nobody was asked";

/** What came of one question. */
export interface Asked {
  readonly place: string;
  readonly token: string;
}

type Ask = Inquiry["asks"][number] & { readonly id: string; readonly ask: number };

const checked: Schema<Answer, unknown> = {
  "~standard": {
    version: 1,
    vendor: "sim",
    validate: (value) => {
      const token: unknown = Object(value)["token"];
      if (typeof token === "string") return { value: { token } };
      return { issues: [{ message: "an answer has a token", path: ["token"] }] };
    },
  },
};

export const inquiries = agent({
  stores: { answers, desks, counts },
  entry: "begin",
  result: type<readonly Asked[]>(),
  maxRetries: 3,
  nodes: {
    begin: scatter({ input: type<Inquiry>(), to: ["ask"] }),
    ask: node({ input: type<Ask>(), key: ({ desk }) => desk, to: ["end"] }),
    end: gather({ collect: list(type<Asked>()) }),
  },
}).implement({
  begin(ctx, { id, asks }) {
    stage().began(id, "inquiries", ctx.invocationId);
    for (const [ask, of] of asks.entries()) ctx.emit("ask", { ...of, id, ask });
  },
  async ask(ctx, { id, ask, desk, isChecked, once, pauseMs, throwsBelow }) {
    stage().turn(`ask ${desk}`, ctx);
    const { attempt, nodeInvocationId, stores } = ctx;
    const own = sitterOf(id, nodeInvocationId);
    const sitting = await stores.desks.update("enter", desk, own);
    if (sitting !== own) await stores.counts.update("add", intrusionOf(id, sitting), 1);
    if (pauseMs > 0) await ctx.sleep(pauseMs);
    const prompt = { id, ask, attempt, isChecked };
    const token =
      once && attempt > 0
        ? unasked
        : (await ctx.askHuman(prompt, isChecked ? checked : type<Answer>())).token;
    const place = placeOf(prompt);
    await stores.answers.update("take", place, token);
    await stores.desks.update("leave", desk, own);
    if (attempt < throwsBelow) throw new RangeError(`${place}`);
    ctx.emit("end", { place, token });
  },
  end(ctx, asked) {
    ctx.result(asked);
  },
});

/** Passes an inquiry on, and so its questions. */
export const offices = agent({
  agents: { inquiries, offices: agentRef<Inquiry, readonly Asked[]>("offices") },
  entry: "pass",
  result: type<readonly Asked[]>(),
  nodes: { pass: node({ input: type<Inquiry>() }) },
}).implement({
  async pass(ctx, inquiry) {
    stage().began(inquiry.id, "offices", ctx.invocationId);
    const { forwards } = inquiry;
    const rest = { ...inquiry, forwards: forwards - 1 };
    const { offices: next, inquiries: last } = ctx.agents;
    ctx.result(forwards > 1 ? await next.invoke(rest) : await last.invoke(rest));
  },
});

/** Parts that are told at the same time, each in chunks. */
export interface Story {
  readonly id: string;
  readonly parts: readonly {
    readonly key: string;
    readonly chunks: number;
    readonly throwsBelow: number;
    readonly pauseMs: number;
  }[];
}

/** What is streamed. */
export interface Told {
  readonly part: number;
  readonly index: number;
  readonly attempt: number;
}

type Part = Story["parts"][number] & { readonly id: string; readonly part: number };

export const stories = agent({
  stores: { counts },
  entry: "plot",
  result: type<number>(),
  maxRetries: 3,
  nodes: {
    plot: scatter({ input: type<Story>(), to: ["tell"] }),
    tell: node({ input: type<Part>(), key: ({ key }) => key, to: ["bind"] }),
    bind: gather({ collect: sum }),
  },
}).implement({
  plot(ctx, { id, parts }) {
    stage().began(id, "stories", ctx.invocationId);
    for (const [part, of] of parts.entries()) ctx.emit("tell", { ...of, id, part });
  },
  async tell(ctx, { id, part, key, chunks, throwsBelow, pauseMs }) {
    stage().turn(`tell ${key}`, ctx);
    const { attempt } = ctx;
    for (let index = 0; index < chunks; index += 1) {
      const told = ctx.chunk({ part, index, attempt } satisfies Told);
      // Some are waited for, some are on their way when the function returns.
      if (index % 2 === 0) await told;
      if (index === 1) await ctx.stores.counts.update("add", `${id} part ${part}`, 1);
      if (index === 1 && pauseMs > 0) await ctx.sleep(pauseMs);
    }
    if (attempt < throwsBelow) throw new RangeError(`${id} part ${part} in ${attempt}`);
    ctx.emit("bind", chunks);
  },
  bind(ctx, chunks) {
    ctx.result(chunks);
  },
});

/** Tells a story that another agent tells: an event of its stream is a chunk of this one's. */
export const relays = agent({
  agents: { stories },
  entry: "relay",
  result: type<number>(),
  maxRetries: 3,
  nodes: { relay: node({ input: type<Story>() }) },
}).implement({
  async relay(ctx, story) {
    const told = await ctx.agents.stories.initiate(story);
    for await (const event of told.streamAll("tell")) await ctx.chunk(event);
    ctx.result(await told.result());
  },
});
