// Sentences of agents.md, "Streaming". A bug here would look like a chunk that is missing or told
// twice, a reset that nobody is told, a stream that never ends.

import { describe, expect } from "vitest";
import talks from "../../topologies/agents-talks.js";
import { followed } from "../stream-events.js";
import {
  type Implementation,
  type Scene,
  type Sentences,
  sentences,
  tracesOf,
  until,
} from "./stage.js";

type Parts = (typeof talks)["parts"];
type Told = Sentences<Parts>;

export function streamSentences(implementation: Implementation): void {
  const told = sentences(implementation, talks);
  chunks(told);
  followers(told);
  several(told);
}

const threeOf = (attempt: number) => [0, 1, 2].map((n) => `${n}:${n} of ${attempt}`);

function chunks({ whole, both }: Told): void {
  describe("streaming — chunks of one node invocation", () => {
    both("carry index 0, 1, 2… and are durable before its completion is", async (scene) => {
      const input = { chunks: 3, throws: false };
      const { id } = await scene.runtime.agent("streaming").initiate(input, scene.given);
      await scene.cut("streamed");
      const invocation = scene.runtime.agent("streaming").get(id);
      await invocation.result();
      const late = followed(invocation.stream("write"));
      await late.ended;
      expect(late.shown).toEqual([...threeOf(0), "3:the last one", "completed"]);
    });

    both("index 0 for an invocation already seen is a reset of its list", async (scene) => {
      const input = { chunks: 3, throws: true };
      const begun = await scene.runtime.agent("streaming").initiate(input, scene.given);
      await scene.cut("streamed");
      const invocation = scene.runtime.agent("streaming").get(begun.id);
      const early = followed(invocation.stream("write"));
      await until(() => early.values.length === 3);
      scene.note("seen");
      await early.ended;
      const second = [...threeOf(1), "3:the last one", "completed"];
      expect(early.shown.slice(-6)).toEqual(["reset", ...second]);
      // Of a run that was cut off, not all need be there, and the next one was a reset too.
      if (!scene.isCut) expect(early.shown.slice(0, -6)).toEqual(threeOf(0));
      // Late subscribers lose nothing, and see no resets from before.
      const late = followed(invocation.stream("write"));
      await late.ended;
      expect(late.shown).toEqual(second);
    });

    whole("a full buffer slows the node down, it never drops", async (scene) => {
      const invocation = await scene.runtime.agent("flooding").initiate(2_500, scene.given);
      // 1,000 of them may be unacknowledged.
      expect(await invocation.result()).toBeGreaterThanOrEqual(1_499);
      const all = followed(invocation.stream("write"));
      await all.ended;
      expect(all.values).toEqual(Array.from({ length: 2_500 }, (_, n) => n));
    });
  });
}

function followers({ whole }: Told): void {
  describe("streaming — followers", () => {
    whole("as AsyncIterable and as callback; closing twice is fine", async (scene) => {
      const input = { chunks: 3, throws: false };
      const { id } = await scene.runtime.agent("streaming").initiate(input, scene.given);
      await scene.cut("streamed");
      const invocation = scene.runtime.agent("streaming").get(id);
      const stream = invocation.stream("write");
      const called: unknown[] = [];
      const iterated: unknown[] = [];
      await stream.forEach((event) => void called.push(event));
      for await (const event of stream) iterated.push(event);
      const chunksOf = (events: unknown[]) => events.filter((event) => !isReset(event));
      expect(chunksOf(iterated)).toEqual(chunksOf(called).slice(-5));
      expect(iterated.length).toBe(5);
      stream.close();
      stream.close();
      const none: unknown[] = [];
      for await (const event of stream) none.push(event);
      expect(none).toEqual([]);
    });
  });
}

function isReset(event: unknown): boolean {
  return typeof event === "object" && event !== null && Reflect.get(event, "kind") === "reset";
}

function several({ whole }: Told): void {
  describe("streaming — several invocations of a node", () => {
    whole("stream(node) follows the first that streams, and completes with it", async (scene) => {
      const { invocation, idOf } = await choir(scene);
      const first = followed(invocation.stream("sing"));
      scene.note("end b");
      await first.ended;
      expect(first.shown).toEqual(["0:b 0", "1:b 1", "completed"]);
      expect(first.events[0]?.nodeInvocationId).toBe(idOf("b"));
      for (const name of ["a", "c"]) scene.note(`end ${name}`);
      await invocation.result();
    });

    whole("streamSpecific(node, id) one given", async (scene) => {
      const { invocation, idOf } = await choir(scene);
      const given = followed(invocation.streamSpecific("sing", idOf("c")));
      scene.note("end c");
      await given.ended;
      expect(given.shown).toEqual(["0:c 0", "1:c 1", "completed"]);
      for (const name of ["a", "b"]) scene.note(`end ${name}`);
      await invocation.result();
    });

    whole("streamAll(node) all, by id; completes when the tree has finished", async (scene) => {
      const { invocation, idOf } = await choir(scene);
      const all = followed(invocation.streamAll("sing"));
      let hasEnded = false;
      const ending = all.ended.then(() => {
        hasEnded = true;
      });
      for (const name of ["a", "b"]) scene.note(`end ${name}`);
      await until(() => all.events.filter(({ kind }) => kind === "completed").length === 2);
      expect(hasEnded).toBe(false);
      scene.note("end c");
      await ending;
      for (const name of ["a", "b", "c"]) {
        const own = all.events.filter((event) => event.nodeInvocationId === idOf(name));
        const values = own.map((event) => (event.kind === "chunk" ? event.value : event.kind));
        expect(values).toEqual([`${name} 0`, `${name} 1`, "completed"]);
      }
      const traces = await tracesOf(invocation);
      expect(traces.every(({ status }) => status === "finished")).toBe(true);
    });
  });
}

/** An invocation in which three sing: "b" has begun first, and all have given one chunk. */
async function choir(scene: Scene<Parts>) {
  const invocation = await scene.runtime.agent("choir").initiate(["a", "b", "c"], scene.given);
  const lineOf = (name: string) => scene.notes().find((line) => line.startsWith(`sings ${name} `));
  for (const name of ["b", "a", "c"]) {
    scene.note(`go ${name}`);
    await until(() => lineOf(name) !== undefined);
    // It is at home when somebody there can follow it.
    const id = lineOf(name)?.split(" ")[2] ?? "";
    for await (const _first of invocation.streamSpecific("sing", id)) break;
  }
  return { invocation, idOf: (name: string) => lineOf(name)?.split(" ")[2] ?? "" };
}
