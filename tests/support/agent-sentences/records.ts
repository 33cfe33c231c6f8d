// Sentences of agents.md, "Client", "Forks", "Traces and retention". A bug here would look like an
// invocation that begins twice, a fork that runs what it should copy, a trace that leaves something
// out, a record that is forgotten while it is pending.

import { describe, expect } from "vitest";
import type { NodeTrace } from "../../../agents/client/trace.js";
import records from "../../topologies/agents-records.js";
import { errorOf } from "./codes.js";
import {
  finishedNodes,
  type Implementation,
  type Scene,
  type Sentences,
  sentences,
  tracesOf,
} from "./stage.js";

type Parts = (typeof records)["parts"];
type Told = Sentences<Parts>;

export function recordSentences(implementation: Implementation): void {
  const told = sentences(implementation, records);
  clients(told);
  forks(told);
  forksOfGathers(told);
  traces(told);
  retention(told);
}

const words = ["a", "bb", "ccc"];

function clients({ whole, both }: Told): void {
  describe("client", () => {
    both("initiate({ id }) twice gives the same invocation; get(id) re-attaches", async (scene) => {
      const id = scene.runtime.newId();
      const { metadata } = scene.given;
      const one = await scene.runtime.agent("measuring").initiate(words, { id, metadata });
      await scene.cut("sum");
      if (!scene.isCut) {
        // What runs while it is closed may run again.
        await one.result();
        await scene.stage.reopen();
      }
      const agent = scene.runtime.agent("measuring");
      const other = await agent.initiate(words, { id, metadata });
      expect(other.id).toBe(one.id);
      // result() any number of times.
      const results = [other.result(), agent.get(one.id).result(), other.result()];
      expect(new Set(await Promise.all(results))).toEqual(new Set(["1+2+3 of 3 for undefined"]));
      expect(await agent.invoke(words, { id, metadata })).toBe("1+2+3 of 3 for undefined");
      expect(scene.times("start")).toBe(1);
    });

    both(
      "metadata: given at invoke, visible in nodes, editable, copied to forks",
      async (scene) => {
        const metadata = { ...scene.given.metadata, who: "ada", age: 36, isIn: true };
        const { id } = await scene.runtime.agent("measuring").initiate(words, { metadata });
        await scene.cut("sum");
        const invocation = scene.runtime.agent("measuring").get(id);
        expect(await invocation.result()).toBe("1+2+3 of 3 for ada");
        expect(await invocation.metadata()).toEqual(metadata);
        const { age: _age, ...others } = metadata;
        const edited = { ...others, who: "ben" };
        expect(await invocation.setMetadata({ who: "ben", age: undefined })).toEqual(edited);
        const fork = await invocation.initiateFork({ [await idOf(invocation, "say")]: "said" });
        expect(await fork.result()).toBe("said for ben");
        expect(await fork.metadata()).toEqual(edited);
      },
    );

    whole("isComplete() tells whether there is an outcome", async (scene) => {
      const invocation = await scene.runtime.agent("pending").initiate("waits", scene.given);
      expect(await invocation.isComplete()).toBe(false);
      scene.note("go");
      await invocation.result();
      expect(await invocation.isComplete()).toBe(true);
    });
  });
}

interface Traced {
  trace(): AsyncIterable<NodeTrace>;
}

async function idOf(invocation: Traced, node: string, message?: unknown): Promise<string> {
  for await (const one of invocation.trace()) {
    if (one.node !== node || (message !== undefined && one.message !== message)) continue;
    return one.nodeInvocationId;
  }
  throw new Error(`there is no ${node}`);
}

/** One that has finished, with a scene that has noted nothing since. */
async function measured(scene: Scene<Parts>) {
  const calm = { metadata: { ...scene.given.metadata, cut: false, who: "ada" } };
  const invocation = await scene.runtime.agent("measuring").initiate(words, calm);
  await finishedNodes(invocation, "say");
  const before = scene.notes().length;
  await invocation.setMetadata({ cut: scene.isCut });
  return { invocation, ranSince: () => scene.notes().slice(before) };
}

function forks({ both, whole }: Told): void {
  describe("forks — a new invocation", () => {
    both("named ones get new messages, re-run with everything downstream", async (scene) => {
      const { invocation: parent, ranSince } = await measured(scene);
      const changes = { [await idOf(parent, "count", "bb")]: "dddd" };
      const { id } = await parent.initiateFork(changes);
      await scene.cut("dddd");
      await scene.cut("sum");
      const fork = scene.runtime.agent("measuring").get(id);
      // Untouched inputs of the affected scope are re-applied from the record.
      expect(await fork.result()).toBe("1+3+4 of 3 for ada");
      expect(ranSince()).toEqual(["count dddd", "sum", "say"]);
      // On the parent's home task.
      expect(id.slice(0, 8)).toBe(parent.id.slice(0, 8));
      // All else is copied as finished, under new ids.
      const original = await tracesOf(scene.runtime.agent("measuring").get(parent.id));
      const copies = await finishedNodes(fork, "say");
      expect(copies.map(({ node }) => node).sort()).toEqual(
        original.map(({ node }) => node).sort(),
      );
      expect(copies.every(({ status }) => status === "finished")).toBe(true);
      const ids = new Set([...original, ...copies].map((one) => one.nodeInvocationId));
      expect(ids.size).toBe(2 * original.length);
      expect(await scene.runtime.agent("measuring").get(parent.id).result()).toContain("1+2+3");
    });

    whole("it knows its parent; the parent lists its forks in order", async (scene) => {
      const { invocation: parent } = await measured(scene);
      expect([await parent.parent(), await parent.forks()]).toEqual([undefined, []]);
      const ids: string[] = [];
      for (const said of ["one", "two", "three"]) {
        const fork = await parent.initiateFork({ [await idOf(parent, "say")]: said });
        expect(await fork.result()).toBe(`${said} for ada`);
        expect(await fork.parent()).toBe(parent.id);
        ids.push(fork.id);
      }
      expect(await parent.forks()).toEqual(ids);
    });
  });
}

function forksOfGathers({ whole }: Told): void {
  describe("forks — what they refuse, and gathers", () => {
    whole("a gather node gets { state, carry }", async (scene) => {
      const { invocation: parent, ranSince } = await measured(scene);
      const message = { state: [7, 5], carry: 9 };
      expect(await parent.fork({ [await idOf(parent, "sum")]: message })).toBe("5+7 of 9 for ada");
      expect(ranSince()).toEqual(["sum", "say"]);
    });

    whole(
      "errors: parent unknown or collected, node invocations that it has not",
      async (scene) => {
        const { invocation: parent } = await measured(scene);
        const { invocation: other } = await measured(scene);
        const foreign = { [await idOf(other, "say")]: "x" };
        await errorOf("NODE_INVOCATION_UNKNOWN", parent.initiateFork(foreign));
        const kept = scene.runtime.agent("kept");
        const first = await kept.initiate("first");
        await first.result();
        const changes = { [await idOf(first, "a")]: "x" };
        for (let n = 0; n < 6; n += 1) await kept.invoke(`${n}`);
        await errorOf("INVOCATION_UNKNOWN", first.initiateFork(changes));
      },
    );
  });
}

function traces({ both, whole }: Told): void {
  describe("traces", () => {
    both(
      "per node invocation: failures and nested operations, over all attempts",
      async (scene) => {
        const begun = await scene.runtime.agent("operating").initiate(scene.key, scene.given);
        const answered = async (): Promise<void> => {
          const invocation = scene.runtime.agent("operating").get(begun.id);
          const step = await invocation.nextStep();
          if (step.kind === "question") await invocation.answer(step.question, "yes");
        };
        await answered();
        await scene.cut("operated");
        await answered();
        const invocation = scene.runtime.agent("operating").get(begun.id);
        await invocation.result();
        const [only] = await finishedNodes(invocation, "a");
        expect(only).toMatchObject({ node: "a", message: scene.key, emits: [], attempt: 1 });
        expect(only?.result).toEqual({ value: "undefined" });
        expect(only?.failures).toMatchObject([{ attempt: 0, message: "the first attempt fails" }]);
        expect(only?.startedAt ?? Infinity).toBeLessThanOrEqual(only?.finishedAt ?? 0);
        const types = only?.operations.map(({ type }) => type) ?? [];
        const once = types.slice(0, types.length / 2);
        expect([...once, ...once]).toEqual(types);
        expect(only?.operations.at(-1)?.info).toEqual({ tokens: 7 });
        expect(only?.operations[1]?.info).toMatchObject({ call: "update", result: 1 });
        expect([once.length, new Set(once).size]).toEqual([6, 6]);
      },
    );

    both("for a gather: input count, the first 10 inputs, carry, state", async (scene) => {
      const many = Array.from({ length: 12 }, (_, n) => "x".repeat(n + 1));
      const { id } = await scene.runtime.agent("measuring").initiate(many, scene.given);
      await scene.cut("sum");
      const invocation = scene.runtime.agent("measuring").get(id);
      const all = await finishedNodes(invocation, "say");
      const collected = all.find(({ node }) => node === "sum")?.gather;
      // cast: a list of numbers.
      const state = collected?.state as readonly number[];
      expect([...state].sort((a, b) => a - b)).toEqual(many.map(({ length }) => length));
      expect(collected).toMatchObject({ inputCount: 12, carry: 12, inputs: state.slice(0, 10) });
      const split = all.find(({ node }) => node === "split");
      expect(split?.emits.map(({ node, message }) => [node, message])).toEqual(
        many.map((word) => ["count", word]),
      );
    });

    whole("paged, breadth first", async (scene) => {
      const invocation = await scene.runtime.agent("branching").initiate(5);
      const all = await finishedNodes(invocation, "branch", 326);
      const below = all.map(({ message }) => 5 - Number(message));
      expect(below).toEqual([...below].sort((a, b) => a - b));
      const ids = all.map((one) => one.nodeInvocationId);
      expect(new Set(ids).size).toBe(326);
      expect(all.flatMap(({ emits }) => emits.map((one) => one.nodeInvocationId))).toEqual(
        ids.slice(1),
      );
    });
  });
}

function retention({ whole, both }: Told): void {
  describe("retention", () => {
    both("keeps the newest of each agent and task, and collects whole trees", async (scene) => {
      const all = [];
      for (let n = 0; n < 9; n += 1) {
        if (n === 5 && scene.isCut) await scene.stage.crash();
        const invocation = await scene.runtime.agent("kept").initiate(`${n}`);
        await invocation.result();
        await finishedNodes(invocation, "a");
        all.push(invocation.id);
      }
      const agent = scene.runtime.agent("kept");
      const found = await Promise.all(
        all.map((id) =>
          agent
            .get(id)
            .result()
            .catch(() => "gone"),
        ),
      );
      expect(found.slice(-3)).toEqual(["6", "7", "8"]);
      expect(found.slice(0, 5)).toEqual(Array(5).fill("gone"));
      const first = agent.get(all[0] ?? "");
      await errorOf("INVOCATION_UNKNOWN", tracesOf(first));
      await errorOf(
        "INVOCATION_UNKNOWN",
        first.stream("a").forEach(() => {}),
      );
    });

    whole("skips pending ones", async (scene) => {
      const agent = scene.runtime.agent("pending");
      const waits = await agent.initiate("waits", scene.given);
      for (let n = 0; n < 8; n += 1) await agent.invoke(`${n}`);
      expect(await waits.isComplete()).toBe(false);
      scene.note("go");
      expect(await waits.result()).toBe("waits");
    });
  });
}
