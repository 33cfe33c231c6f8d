// Type tests of scatters, gathers, aggregators, references and objects: what is inferred, and what
// is refused while it is typed.

import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { type AgentDeclaration, agent } from "../../agents/agent.js";
import type { AgentClient } from "../../agents/client/client.js";
import { type AgentRef, agentRef } from "../../agents/declare/agent-ref.js";
import {
  accumulate,
  type Aggregator,
  combine,
  finished,
  multi,
} from "../../agents/declare/aggregator.js";
import {
  first,
  list,
  map,
  max,
  mergeMap,
  multiSet,
  set,
  sum,
} from "../../agents/declare/aggregators.js";
import { node, type NodeDeclaration } from "../../agents/declare/node.js";
import { object, type ObjectDeclaration } from "../../agents/declare/object.js";
import type { Refused } from "../../agents/declare/refused.js";
import { gather, scatter } from "../../agents/declare/scatter-gather.js";
import type { CheckedShape } from "../../agents/declare/shape.js";
import { type } from "../../store/schema.js";

const split = scatter({ input: type<string[]>(), to: ["count"], carry: type<number>() });
const count = node({ input: type<string>(), to: ["total"] });

describe("scope types — inference", () => {
  it("a scatter returns the carry, a gather gets the state and the carry", () => {
    const words = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split,
        count,
        total: gather({ collect: sum, carry: type<number>(), to: ["split"] }),
      },
    }).implement({
      split(ctx, docs) {
        expectTypeOf(docs).toEqualTypeOf<string[]>();
        for (const doc of docs) ctx.emit("count", doc);
        return docs.length;
      },
      count(ctx, doc) {
        expectTypeOf(doc).toEqualTypeOf<string>();
        ctx.emit("total", doc.length);
        // @ts-expect-error: it collects numbers
        ctx.emit("total", doc);
      },
      total(ctx, state, carry) {
        expectTypeOf(state).toEqualTypeOf<number>();
        expectTypeOf(carry).toEqualTypeOf<number>();
        ctx.emit("split", ["again"]);
        // @ts-expect-error: it does not declare this target
        ctx.emit("count", "again");
        ctx.result(state);
      },
    });
    expectTypeOf(words).toEqualTypeOf<AgentDeclaration<string[], number>>();
    expect(words.kind).toBe("agent");
  });

  it("without a carry the function returns nothing, and the gather gets undefined", () => {
    const declared = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split: scatter({ input: type<string>(), to: ["total"] }),
        total: gather({ collect: list(type<string>()) }),
      },
    });
    declared.implement({
      async split(ctx, text) {
        ctx.emit("total", text);
      },
      total(ctx, state, carry) {
        expectTypeOf(state).toEqualTypeOf<string[]>();
        expectTypeOf(carry).toEqualTypeOf<undefined>();
        ctx.result(state.length);
      },
    });
    // @ts-expect-error: it declares no carry
    declared.implement({ split: () => 5, total() {} });
    expect(split.kind).toBe("scatter");
  });

  it("a carry is returned as its schema accepts it, and comes as the schema returns it", () => {
    const carry = z.string().transform(Number);
    const declared = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split: scatter({ input: type<string>(), to: ["total"], carry }),
        total: gather({ collect: sum, carry }),
      },
    });
    declared.implement({
      split: async (_ctx, text) => text,
      total(ctx, _state, carried) {
        expectTypeOf(carried).toEqualTypeOf<number>();
        ctx.result(carried);
      },
    });
    // @ts-expect-error: the schema accepts texts
    declared.implement({ split: () => 5, total() {} });
    // @ts-expect-error: the carry is missing
    declared.implement({ split() {}, total() {} });
    expect(declared.implement).toBeTypeOf("function");
  });

  it("an aggregator takes what its schema accepts and gives the state", () => {
    const text = type<string>();
    expectTypeOf(list(z.string().transform(Number))).toEqualTypeOf<Aggregator<string, number[]>>();
    expectTypeOf(set(text)).toEqualTypeOf<Aggregator<string, Set<string>>>();
    expectTypeOf(multiSet(text)).toEqualTypeOf<Aggregator<string, Map<string, number>>>();
    expectTypeOf(map(text, type<number>())).toEqualTypeOf<
      Aggregator<readonly [string, number], Map<string, number>>
    >();
    expectTypeOf(mergeMap(text, type<number>())).toEqualTypeOf<
      Aggregator<ReadonlyMap<string, number>, Map<string, number>>
    >();
    expectTypeOf(first(text)).toEqualTypeOf<Aggregator<string, string | undefined>>();
    expectTypeOf(max).toEqualTypeOf<Aggregator<number, number | undefined>>();
    expect(max.kind).toBe("aggregator");
  });

  it("an aggregator of the user's is typed by its functions", () => {
    const longest = accumulate(
      () => 0,
      (most, word: string) => (word === "" ? finished(most) : Math.max(most, word.length)),
    );
    expectTypeOf(longest).toEqualTypeOf<Aggregator<string, number>>();
    const product = combine(1, (one, other) => one * other);
    expectTypeOf(product).toEqualTypeOf<Aggregator<number, number>>();
    const summary = multi({
      init: () => ({ done: 0, files: [""] }),
      on: {
        done: (state) => ({ ...state, done: state.done + 1 }),
        failed: (state, file: string) => ({ ...state, files: [...state.files, file] }),
        stop: (state) => finished(state),
        more: (state, by?: number) => ({ ...state, done: state.done + (by ?? 1) }),
      },
    });
    expectTypeOf(summary).toEqualTypeOf<
      Aggregator<
        | { readonly tag: "done"; readonly value?: undefined }
        | { readonly tag: "failed"; readonly value: string }
        | { readonly tag: "stop"; readonly value?: undefined }
        | { readonly tag: "more"; readonly value?: number | undefined },
        { done: number; files: string[] }
      >
    >();
    const longer = (_state: number, word: string): string => word;
    // @ts-expect-error: the state is a number
    accumulate(() => 0, longer);
    // @ts-expect-error: the state has no such property
    multi({ init: () => ({ done: 0 }), on: { done: (state) => ({ done: state.missing }) } });
    // @ts-expect-error: a step returns the state
    multi({ init: () => 0, on: { done: () => "done" } });
    expect(summary.kind).toBe("aggregator");
  });

  it("an agent calls others by value or by name, itself among them", () => {
    const fib = agentRef<number, bigint>("fib");
    expectTypeOf(fib).toEqualTypeOf<AgentRef<number, bigint>>();
    agent({
      entry: "n",
      result: type<bigint>(),
      agents: { fib },
      nodes: { n: node({ input: type<number>() }) },
    }).implement({
      async n(ctx, n) {
        expectTypeOf(ctx.agents.fib).toEqualTypeOf<AgentClient<number, bigint>>();
        ctx.result(await ctx.agents.fib.invoke(n));
        // @ts-expect-error: a number is asked for
        await ctx.agents.fib.invoke("1");
        // @ts-expect-error: the agent names no such agent
        ctx.agents.other;
      },
    });
    expect(fib.name).toBe("fib");
  });

  it("an object is typed by its value, or by what builds it", () => {
    const settings = object({ currency: "EUR" });
    const mailer = object({ build: async () => ({ send: (to: string) => to }), shared: true });
    const browser = object({ build: () => new Map<string, number>(), limit: 4 });
    expectTypeOf(settings).toEqualTypeOf<ObjectDeclaration<{ currency: string }>>();
    agent({
      entry: "a",
      result: type<string>(),
      objects: { settings, mailer, browser },
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx) {
        expectTypeOf(await ctx.objects.mailer()).toEqualTypeOf<{ send: (to: string) => string }>();
        expectTypeOf(await ctx.objects.browser()).toEqualTypeOf<Map<string, number>>();
        ctx.result((await ctx.objects.settings()).currency);
        // @ts-expect-error: the agent names no such object
        ctx.objects.other;
      },
    });
    object({ build: async (context) => (await context.get(settings)).currency, shared: true });
    // @ts-expect-error: a builder needs shared: true or limit: a number
    object({ build: () => 1 });
    // @ts-expect-error: a limit is a number
    object({ build: () => 1, limit: "4" });
    expect(browser.kind).toBe("object");
  });
});

describe("scope types — refusals", () => {
  it("says in a sentence what is refused", () => {
    const nodes = {
      split: scatter({ input: type<string>(), to: ["total", "nowhere"] }),
      total: gather({ collect: sum, carry: type<number>() }),
    };
    const result = type<number>();
    type Checked = CheckedShape<{
      entry: "split";
      nodes: typeof nodes;
      result: typeof result;
      agents: { fib: { name: string } };
      objects: { model: { size: number } };
    }>;
    expectTypeOf<Checked["nodes"]["split"]>().toEqualTypeOf<
      Refused<'node "split" emits to "nowhere", which this agent does not declare'>
    >();
    expectTypeOf<Checked["nodes"]["total"]>().toEqualTypeOf<
      Refused<'gather "total" takes a carry that no scatter of this agent gives'>
    >();
    expectTypeOf<Checked["agents"]["fib"]>().toEqualTypeOf<
      Refused<'"fib" is not an agent: declare it with agent(), or name it with agentRef()'>
    >();
    expectTypeOf<Checked["objects"]["model"]>().toEqualTypeOf<
      Refused<'"model" is not an object: declare it with object()'>
    >();
    expect(split.kind).toBe("scatter");
    // @ts-expect-error: both of these
    agent({ entry: "split", result, nodes });
  });

  it("refuses a scope that lacks one of its ends, and a gather that nothing leads to", () => {
    const result = type<number>();
    const open = {
      split: scatter({ input: type<string>(), to: ["count"] }),
      count: node({ input: type<string>() }),
    };
    const ended = {
      count: node({ input: type<string>(), to: ["total"] }),
      total: gather({ collect: sum }),
    };
    const both = { split: scatter({ input: type<string>(), to: ["total"] }), total: ended.total };
    type Open = CheckedShape<{ entry: "split"; nodes: typeof open; result: typeof result }>;
    expectTypeOf<Open["nodes"]["split"]>().toEqualTypeOf<
      Refused<'no gather of this agent ends the scope of scatter "split"'>
    >();
    expectTypeOf<Open["nodes"]["count"]>().toEqualTypeOf<typeof open.count>();
    type Ended = CheckedShape<{ entry: "count"; nodes: typeof ended; result: typeof result }>;
    expectTypeOf<Ended["nodes"]["total"]>().toEqualTypeOf<
      Refused<'no scatter of this agent opens a scope that gather "total" could end'>
    >();
    type Both = CheckedShape<{ entry: "total"; nodes: typeof both; result: typeof result }>;
    expectTypeOf<Both["entry"]>().toEqualTypeOf<
      Refused<'the entry "total" is a gather, outside of any scope'>
    >();
    expectTypeOf<Both["nodes"]>().toEqualTypeOf<{
      readonly [N in keyof typeof both]: (typeof both)[N];
    }>();
    // @ts-expect-error: the scope of its scatter has no end
    agent({ entry: "split", result, nodes: open });
    // @ts-expect-error: its gather has no scatter
    agent({ entry: "count", result, nodes: ended });
    // @ts-expect-error: nothing leads to its entry
    agent({ entry: "total", result, nodes: both });
    expect(agent({ entry: "split", result, nodes: both }).implement).toBeTypeOf("function");
  });

  it("refuses a target that is listed twice, unless it may be another", () => {
    const input = type<string>();
    // @ts-expect-error: the target "a" is listed more than once
    node({ input, to: ["a", "b", "a"] });
    // @ts-expect-error: the target "a" is listed more than once
    scatter({ input, to: ["a", "a"] });
    // @ts-expect-error: the target "a" is listed more than once
    gather({ collect: sum, to: ["a", "a"] });
    const listed: ("a" | "b")[] = ["b"];
    const either: "a" | "b" = listed[0] ?? "a";
    const declared = node({ input, to: [either, either, ...listed] });
    expectTypeOf(declared).toEqualTypeOf<NodeDeclaration<string, "a" | "b">>();
    expect(node({ input, to: ["a", "b"] }).kind).toBe("node");
  });

  it("refuses a reentrant node that has no key", () => {
    const input = type<string>();
    // @ts-expect-error: a reentrant node needs a key that it could give up
    node({ input, reentrant: true });
    const isKeyed: boolean = input !== undefined;
    node({ input, reentrant: false });
    node({ input, reentrant: isKeyed, ...(isKeyed ? { key: (text: string) => text } : {}) });
    node({ input, reentrant: true, ...(isKeyed ? { key: (text: string) => text } : {}) });
    // @ts-expect-error: it is either
    node({ input, key: (text) => text, reentrant: "yes" });
    expect(node<string>({ input, key: (text) => text, reentrant: true }).kind).toBe("node");
  });

  it("refuses options that a kind of node does not have", () => {
    // @ts-expect-error: what it collects is a gather's
    node({ input: type<string>(), collect: sum });
    // @ts-expect-error: a scatter runs on the home task, whatever its message is
    scatter({ input: type<string>(), to: ["a"], key: (m: string) => m });
    // @ts-expect-error: a gather has no input of its own
    gather({ collect: sum, input: type<number>() });
    // @ts-expect-error: it collects with an aggregator
    gather({ collect: type<number>() });
    // @ts-expect-error: a scatter names what its scope begins with
    scatter({ input: type<string>() });
    node({ input: type<string>(), key: (m) => m, reentrant: true, nodeTimeoutMs: 5_000 });
    // @ts-expect-error: a number of milliseconds is one
    node({ input: type<string>(), nodeTimeoutMs: "5 s" });
    expect(sum.kind).toBe("aggregator");
  });

  it("refuses option values that an agent cannot have", () => {
    const shape = {
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<string>() }) },
    };
    agent({ ...shape, entry: "a", updateMode: "drop", version: 2, stallThresholdMs: 500 });
    agent({ ...shape, entry: "a", maxInvocationsPerTask: 10 });
    // @ts-expect-error: none of the modes
    agent({ ...shape, entry: "a", updateMode: "stop" });
    // @ts-expect-error: "fib" is not an agent: declare it with agent(), or name it with agentRef()
    agent({ ...shape, entry: "a", agents: { fib: {} } });
    // @ts-expect-error: "model" is not an object: declare it with object()
    agent({ ...shape, entry: "a", objects: { model: {} } });
    expect(shape.entry).toBe("a");
  });
});
