// A bug here would look like this: a fork that runs again what it should have copied, that copies
// what it should have run, that mixes up inputs, or that is never made when something dies.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NodeTrace } from "../../../agents/client/trace.js";
import { agentProgram } from "../../../agents/execution.js";
import { list } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { seededRandom } from "../../../testing/seeded-random.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { idOf, traced } from "../../support/traced-nodes.js";

/** Splits words into letters, counts each word, and adds up; then says so. Notes what runs. */
function counting(settings: { readonly seed?: number; readonly retained?: number } = {}) {
  const ran: string[] = [];
  const declared = agent({
    entry: "start",
    result: type<string>(),
    nodes: {
      start: node({ input: type<readonly string[]>(), to: ["split", "aside"] }),
      aside: node({ input: type<string>() }),
      split: scatter({ input: type<readonly string[]>(), to: ["count"], carry: type<number>() }),
      count: node({ input: type<string>(), to: ["sum"], key: (word) => word.length }),
      sum: gather({ collect: list(type<number>()), carry: type<number>(), to: ["say"] }),
      say: node({ input: type<string>() }),
    },
  }).implement({
    start(ctx, words) {
      ran.push("start");
      ctx.emit("split", words);
      ctx.emit("aside", "aside");
    },
    aside() {
      ran.push("aside");
    },
    split(ctx, words) {
      ran.push("split");
      for (const word of words) ctx.emit("count", word);
      return words.length;
    },
    count(ctx, word) {
      ran.push(`count ${word}`);
      ctx.emit("sum", word.length);
    },
    sum(ctx, lengths, count) {
      ran.push("sum");
      ctx.emit("say", `${lengths.join("+")} of ${count}`);
    },
    say(ctx, text) {
      ran.push("say");
      ctx.result(`${text}, ${String(ctx.metadata["who"])}`);
    },
  });
  const { retained, ...others } = settings;
  const program =
    retained === undefined ? {} : { program: agentProgram({ invocationsRetainedMax: retained }) };
  const harness = new ProgramHarness({ agents: { declared }, ...others, ...program });
  return { harness, ran, client: clientsOf(harness).agent(declared) };
}

async function finished(settings: { readonly seed?: number; readonly retained?: number } = {}) {
  const parts = counting(settings);
  const { harness, client, ran } = parts;
  const metadata = { who: "ada" };
  const parent = await harness.until(client.initiate(["a", "bb", "ccc"], { metadata }));
  await harness.run();
  const nodes = await traced(harness, parent);
  ran.length = 0;
  return { ...parts, parent, nodes };
}

describe("forks — a new invocation", () => {
  it("named node invocations get new messages and re-run with everything downstream", async () => {
    const { harness, ran, parent, nodes } = await finished();
    const fork = parent.fork({ [idOf(nodes, "count", "bb")]: "dddddd" });
    const result = await harness.until(fork);
    await harness.run();
    expect(result.split(",")[0]).toMatch(/^\d\+\d\+\d of 3$/);
    expect(result.split(" ")[0]?.split("+").sort()).toEqual(["1", "3", "6"]);
    expect(ran).toEqual(["count dddddd", "sum", "say"]);
  });

  it("untouched inputs of an affected scope are re-applied from the record, in order", async () => {
    const { harness, parent, nodes } = await finished();
    const before = nodes.find(({ node: name }) => name === "sum")?.gather?.state;
    // cast: a list of numbers.
    const untouched = (before as readonly number[]).filter((length) => length !== 2);
    const fork = await harness.until(
      parent.initiateFork({ [idOf(nodes, "count", "bb")]: "dddddd" }),
    );
    await harness.run();
    const after = await traced(harness, fork);
    const collected = after.find(({ node: name }) => name === "sum")?.gather;
    expect(collected?.state).toEqual([...untouched, 6]);
    expect(collected?.inputCount).toBe(3);
    expect(collected?.carry).toBe(3);
  });

  it("all else is copied as finished, under new ids", async () => {
    const { harness, parent, nodes } = await finished();
    const fork = await harness.until(parent.initiateFork({ [idOf(nodes, "say")]: "said" }));
    expect(await harness.until(fork.result())).toBe("said, ada");
    await harness.run();
    const copies = await traced(harness, fork);
    const shown = ({ node: name, message, emits, status }: NodeTrace): unknown => {
      const given = name === "say" ? undefined : message;
      return [name, given, emits.map((emit) => [emit.node, emit.message]), status];
    };
    expect(copies.map(shown)).toEqual(nodes.map(shown));
    const ids = new Set(nodes.map(({ nodeInvocationId }) => nodeInvocationId));
    for (const { nodeInvocationId, task, startedAt, node: name } of copies) {
      expect(ids.has(nodeInvocationId)).toBe(false);
      const original = nodes.find((one) => one.node === name && one.startedAt === startedAt);
      if (name !== "count") expect(original?.task).toBe(task);
    }
  });

  it("a gather node gets { state, carry }, and nothing before it runs again", async () => {
    const { harness, ran, parent, nodes } = await finished();
    const changes = { [idOf(nodes, "sum")]: { state: [7, 8], carry: 2 } };
    expect(await harness.until(parent.fork(changes))).toBe("7+8 of 2, ada");
    await harness.run();
    expect(ran).toEqual(["sum", "say"]);
  });

  it("a scatter that is changed opens its scope anew", async () => {
    const { harness, ran, parent, nodes } = await finished();
    const fork = parent.fork({ [idOf(nodes, "split")]: ["xy"] });
    expect(await harness.until(fork)).toBe("2 of 1, ada");
    await harness.run();
    expect(ran).toEqual(["split", "count xy", "sum", "say"]);
  });

  it("the entry can be changed: all of it runs again", async () => {
    const { harness, ran, parent, nodes } = await finished();
    const fork = parent.fork({ [idOf(nodes, "start")]: ["q"] });
    expect(await harness.until(fork)).toBe("1 of 1, ada");
    await harness.run();
    expect([...ran].sort()).toEqual(["aside", "count q", "say", "split", "start", "sum"]);
  });

  it("what is not downstream keeps its result, which comes first", async () => {
    const { harness, ran, parent, nodes } = await finished();
    const original = await harness.until(parent.result());
    const fork = parent.fork({ [idOf(nodes, "aside")]: "again" });
    expect(await harness.until(fork)).toBe(original);
    await harness.run();
    expect(ran).toEqual(["aside"]);
  });

  it("has the metadata that its parent has then", async () => {
    const { harness, parent, nodes } = await finished();
    await harness.until(parent.setMetadata({ who: "bob", more: 1 }));
    const fork = await harness.until(parent.initiateFork({ [idOf(nodes, "say")]: "said" }));
    expect(await harness.until(fork.result())).toBe("said, bob");
    expect(await harness.until(fork.metadata())).toEqual({ who: "bob", more: 1 });
  });

  it("is on the parent's home task, knows its parent, which lists its forks in order", async () => {
    const { harness, parent, nodes } = await finished();
    expect(await harness.until(parent.parent())).toBe(undefined);
    expect(await harness.until(parent.forks())).toEqual([]);
    const changes = { [idOf(nodes, "say")]: "said" };
    const made: string[] = [];
    for (let no = 0; no < 3; no += 1) {
      const fork = await harness.until(parent.initiateFork(changes));
      made.push(fork.id);
      expect(await harness.until(fork.parent())).toBe(parent.id);
      expect(fork.id.slice(0, 8)).toBe(parent.id.slice(0, 8));
    }
    expect(await harness.until(parent.forks())).toEqual(made);
    await harness.run();
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    expect(await harness.until(parent.forks())).toEqual(made);
  });

  it("can be forked itself", async () => {
    const { harness, parent, nodes } = await finished();
    const first = await harness.until(parent.initiateFork({ [idOf(nodes, "say")]: "one" }));
    await harness.run();
    const copies = await traced(harness, first);
    const second = first.fork({ [idOf(copies, "sum")]: { state: [1], carry: 9 } });
    expect(await harness.until(second)).toBe("1 of 9, ada");
  });

  it("runs what had not finished in the parent, with what is changed", async () => {
    let isBroken = true;
    const declared = agent({
      entry: "a",
      result: type<string>(),
      maxRetries: 0,
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      a: (ctx, text) => ctx.emit("b", text),
      b(ctx, text) {
        if (isBroken) throw new Error("broken");
        ctx.result(text);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const parent = await harness.until(clientsOf(harness).agent(declared).initiate("x"));
    await harness.run();
    isBroken = false;
    expect(await harness.until(parent.fork({}))).toBe("x");
    const nodes = await traced(harness, parent);
    expect(await harness.until(parent.fork({ [idOf(nodes, "b")]: "y" }))).toBe("y");
  });
});

describe("forks — errors", () => {
  it("parent unknown or collected", async () => {
    const { harness, client, parent } = await finished({ retained: 1 });
    for (let no = 0; no < 40; no += 1) {
      await harness.until(client.initiate(["x"]));
      await harness.run();
    }
    await expect(harness.until(parent.fork({}))).rejects.toMatchObject({
      code: "INVOCATION_UNKNOWN",
    });
  });

  it("parent of an older graph version", async () => {
    const a = node({ input: type<string>(), to: ["b"] });
    const b = node({ input: type<string>() });
    const shape = { entry: "a", result: type<string>() } as const;
    const before = agent({ ...shape, nodes: { a, b } }).implement({
      a: (ctx, text) => ctx.emit("b", text),
      b: (ctx, text) => ctx.result(text),
    });
    const first = new ProgramHarness({ agents: { declared: before }, tasks: 1 });
    const { id } = await first.until(clientsOf(first).agent(before).initiate("x"));
    await first.run();
    const after = agent({ ...shape, version: 2, nodes: { a, b } }).implement({
      a: (ctx, text) => ctx.emit("b", text),
      b: (ctx, text) => ctx.result(text),
    });
    const rows = [first.rows(0)];
    const second = new ProgramHarness({ agents: { declared: after }, tasks: 1, rows });
    const client = clientsOf(second).agent(after);
    await expect(second.until(client.get(id).fork({}))).rejects.toMatchObject({
      code: "FORK_OUTDATED",
      details: { agent: "declared", invocationId: id, version: 1, current: 2 },
    });
    const younger = await second.until(client.initiate("y"));
    await second.run();
    expect(await second.until(younger.fork({}))).toBe("y");
  });

  it("unknown node invocations, wrong messages, and changes behind each other", async () => {
    const { harness, ran, parent, nodes } = await finished();
    const say = idOf(nodes, "say");
    const count = idOf(nodes, "count", "bb");
    const wrong = [
      [{ "0123456789abcdef": 1 }, "NODE_INVOCATION_UNKNOWN"],
      [{ nonsense: 1 }, "NODE_INVOCATION_UNKNOWN"],
      [{ [idOf(nodes, "sum")]: 5 }, "OPTION_INVALID"],
      [{ [idOf(nodes, "split")]: [], [count]: "x" }, "OPTION_INVALID"],
      [{ [count]: "x", [say]: "y" }, "OPTION_INVALID"],
      [[], "OPTION_INVALID"],
    ] as const;
    for (const [changes, code] of wrong) {
      // cast: what the types refuse is refused at run time too.
      const refused = parent.fork(changes as Readonly<Record<string, unknown>>);
      await expect(harness.until(refused)).rejects.toMatchObject({ code });
    }
    expect(await harness.until(parent.forks())).toEqual([]);
    expect(ran).toEqual([]);
  });
});

describe("forks — the parent", () => {
  it("stays until it is copied, and may be forgotten then", async () => {
    const { harness, client, parent, nodes } = await finished({ retained: 1 });
    const changes = { [idOf(nodes, "say")]: "said" };
    const fork = await harness.until(parent.initiateFork(changes));
    for (let no = 0; no < 30; no += 1) {
      await harness.until(client.initiate(["x"]));
      await harness.step();
    }
    await harness.run();
    for (const one of [parent, fork]) {
      await expect(harness.until(one.metadata())).rejects.toMatchObject({
        code: "INVOCATION_UNKNOWN",
      });
    }
  });
});

describe("forks — crashes at any point", () => {
  it("a fork that was accepted is made, and runs each node once", async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const { harness, client, parent, nodes } = await finished({ seed });
      const random = seededRandom(seed);
      const changes = { [idOf(nodes, "count", "a")]: "eeeee" };
      const { id } = await harness.until(parent.initiateFork(changes));
      for (let crashes = 0; crashes < 4; crashes += 1) {
        for (let steps = Math.floor(random() * 12); steps > 0; steps -= 1) await harness.step();
        harness.crash(Math.floor(random() * harness.taskCount));
      }
      await harness.run();
      const fork = client.get(id);
      const result = await harness.until(fork.result());
      expect(result.split(" ")[0]?.split("+").sort()).toEqual(["2", "3", "5"]);
      const copies = await traced(harness, fork);
      expect(copies.length).toBe(nodes.length);
      expect(copies.every(({ status }) => status === "finished")).toBe(true);
      // The parent can be forgotten again, and the fork as well.
      expect(await harness.until(parent.forks())).toEqual([id]);
    }
  });
});
