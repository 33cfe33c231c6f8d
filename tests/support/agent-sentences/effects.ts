// Sentences of agents.md, "Effects of a node". A bug here would look like a node that starts though
// its emitter threw, an update that counts twice, a mail that is sent twice.

import { describe, expect } from "vitest";
import effects, { type Difference, type Misuse } from "../../topologies/agents-effects.js";
import { errorOf } from "./codes.js";
import { type Implementation, type Sentences, sentences } from "./stage.js";

type Told = Sentences<(typeof effects)["parts"]>;

export function effectSentences(implementation: Implementation): void {
  const told = sentences(implementation, effects);
  buffered(told);
  immediate(told);
  reruns(told);
  exclusive(told);
}

function buffered({ whole, both }: Told): void {
  describe("effects — emit and result are buffered", () => {
    both("a node that emits and then throws emits nothing", async (scene) => {
      const { id } = await scene.runtime.agent("throwing").initiate(scene.key, scene.given);
      await scene.cut("half of it");
      scene.note("seen");
      await errorOf("INVOCATION_FAILED", scene.runtime.agent("throwing").get(id).result());
      await scene.runtime.drain();
      expect(scene.times("next starts")).toBe(0);
    });

    both("no downstream node starts before its emitter returned", async (scene) => {
      const { id } = await scene.runtime.agent("buffering").initiate(scene.key, scene.given);
      await scene.cut("emitted");
      // A message is what it was when it was emitted.
      expect(await scene.runtime.agent("buffering").get(id).result()).toBe("given 1");
      expect(scene.notes()).toEqual(["begin returns", "next starts"]);
      expect(await scene.runtime.store("counts").get(scene.key)).toBe(5);
    });

    both("a node that gives a result and then throws gives none", async (scene) => {
      const { id } = await scene.runtime.agent("hasty").initiate("", scene.given);
      await scene.cut("result");
      expect(await scene.runtime.agent("hasty").get(id).result()).toBe("by attempt 1");
    });

    whole("result(null) and result(undefined) are results", async (scene) => {
      expect(await scene.runtime.agent("giving").invoke("null")).toBe(null);
      expect(await scene.runtime.agent("giving").invoke("undefined")).toBe(undefined);
    });
  });
}

function immediate({ both }: Told): void {
  describe("effects — immediate, not undone by a later throw", () => {
    both("store operations, chunks, sub-agent invocations, human questions", async (scene) => {
      const { id } = await scene.runtime.agent("throwing").initiate(scene.key, scene.given);
      await scene.cut("half of it");
      const invocation = scene.runtime.agent("throwing").get(id);
      const step = await invocation.nextStep();
      expect(step).toMatchObject({ kind: "question", question: { prompt: "a question" } });
      scene.note("seen");
      await errorOf("INVOCATION_FAILED", invocation.result());
      expect(await scene.runtime.store("counts").get(scene.key)).toBe(1);
      const chunks: unknown[] = [];
      const following = invocation.stream("does").forEach((event) => {
        if (event.kind === "chunk") chunks.push(event.value);
      });
      await errorOf("INVOCATION_FAILED", following);
      expect(chunks).toEqual(["a chunk"]);
      await scene.noted(`child of ${scene.key}`);
    });
  });
}

function reruns({ both }: Told): void {
  describe("effects — a re-run of the same node invocation", () => {
    both("gets the recorded reply instead of applying the operation again", async (scene) => {
      const { id } = await scene.runtime.agent("recorded").initiate(scene.key, scene.given);
      await scene.cut("operated");
      expect(await scene.runtime.agent("recorded").get(id).result()).toBe(1);
      const runs = scene.isCut ? 3 : 2;
      expect(scene.times("read 0, then 1")).toBe(runs);
      expect(await scene.runtime.store("counts").get(scene.key)).toBe(1);
      // `ctx.run(name, fn)` records the outcome of any other side effect in the same way.
      expect(scene.times("effect")).toBe(1);
      expect(scene.times(`outcome ${id}`)).toBe(runs);
      // A stable idempotency key is offered as `ctx.idempotencyKey`.
      const keys = scene.notes().filter((line) => line.startsWith("key "));
      expect([keys.length, new Set(keys).size]).toEqual([runs, 1]);
    });

    const differences: readonly [Difference, number, object][] = [
      ["nothing", 1, { first: 1 }],
      ["store", 1, { first: 1, elsewhere: 1 }],
      ["update", 0, { first: 0 }],
      ["key", 1, { first: 1, other: 1 }],
      ["arguments", 11, { first: 11 }],
    ];
    both("an operation that differs (store, update, key, arguments) is new", async (scene) => {
      const ids = new Map<Difference, string>();
      for (const [differs] of differences) {
        const input = { key: `${scene.key} ${differs}`, differs };
        ids.set(differs, (await scene.runtime.agent("differing").initiate(input, scene.given)).id);
      }
      await scene.cut(...differences.map(([differs]) => `differed: ${differs}`));
      const { agent, store } = scene.runtime;
      for (const [differs, reply, found] of differences) {
        const outcome = await agent("differing")
          .get(ids.get(differs) ?? "")
          .result();
        const key = `${scene.key} ${differs}`;
        const first = await store("counts").get(key);
        const other = await store("counts").get(`${key} other`);
        const elsewhere = await store("faults").get(key);
        expect([differs, outcome, { first, other, elsewhere }]).toEqual([differs, reply, found]);
      }
    });
  });
}

function exclusive({ whole }: Told): void {
  describe("effects — emit XOR result, per node invocation", () => {
    const misuses: readonly [Misuse, string, string][] = [
      ["emit after result", "EMIT_AFTER_RESULT", "a"],
      ["result after emit", "RESULT_AFTER_EMIT", "b"],
      ["second result", "RESULT_TWICE", "first"],
      ["undeclared", "EMIT_UNDECLARED", "b"],
    ];
    for (const [misuse, code, result] of misuses) {
      const name = `${misuse} is an error inside the node; who catches it keeps its earlier effect`;
      whole(name, async (scene) => {
        expect(await scene.runtime.agent("exclusive").invoke(misuse, scene.given)).toBe(result);
        expect(scene.notes()).toEqual([code]);
      });
    }
  });
}
