// Sentences of agents.md, "Placement and order" and "Completion". A bug here would look like two
// runs at once for a key, a sibling that a result stops, an invocation that never ends.

import { describe, expect } from "vitest";
import { ownerOf } from "../../../runtime/partition.js";
import graphs from "../../topologies/agents-graphs.js";
import { errorOf } from "./codes.js";
import {
  finishedNodes,
  type Implementation,
  type Sentences,
  sentences,
  stageTasks,
  tracesOf,
} from "./stage.js";

type Told = Sentences<(typeof graphs)["parts"]>;

export function graphSentences(implementation: Implementation): void {
  const told = sentences(implementation, graphs);
  places(told);
  keys(told);
  callers(told);
  results(told);
  failures(told);
}

function places({ whole }: Told): void {
  describe("placement", () => {
    whole("the start node, scatter and gather nodes run on the home task", async (scene) => {
      for (let n = 0; n < 6; n += 1) {
        const invocation = await scene.runtime.agent("spreading").initiate(5, scene.given);
        await invocation.result();
        const placement = Number.parseInt(invocation.id.slice(0, 8), 16);
        const traces = await finishedNodes(invocation, "join");
        for (const { node, task } of traces) {
          if (node !== "leaf") expect([node, task]).toEqual([node, ownerOf(placement, stageTasks)]);
        }
      }
    });

    whole("a first emit to a plain node stays, each further one goes on a round", async (scene) => {
      const invocation = await scene.runtime.agent("spreading").initiate(13, scene.given);
      await invocation.result();
      const traces = await finishedNodes(invocation, "join");
      const tasks =
        traces.find(({ node }) => node === "split")?.emits.map(({ task }) => task) ?? [];
      const [first, ...further] = tasks;
      expect(first).toBe(traces[0]?.task);
      const round = further.slice(0, stageTasks);
      expect([...round].sort()).toEqual([0, 1, 2, 3]);
      expect(further).toEqual([...round, ...round, ...round]);
    });

    whole("emits from one node invocation to one task run in emit order", async (scene) => {
      const invocation = await scene.runtime.agent("spreading").initiate(60, scene.given);
      await invocation.result();
      const traces = await finishedNodes(invocation, "join");
      const emits = traces.find(({ node }) => node === "split")?.emits ?? [];
      const ran = scene.notes().map((line) => Number(line.split(" ")[1]));
      for (let task = 0; task < stageTasks; task += 1) {
        const given = emits.filter((emit) => emit.task === task).map(({ message }) => message);
        expect(given.length).toBeGreaterThan(10);
        expect(ran.filter((n) => given.includes(n))).toEqual(given);
      }
    });

    whole("a list gather has arrival order", async (scene) => {
      const invocation = await scene.runtime.agent("arriving").initiate("", scene.given);
      await finishedNodes(invocation, "leaf");
      scene.note("go");
      expect(await invocation.result()).toEqual(["early", "late"]);
    });
  });
}

function keys({ whole, both }: Told): void {
  describe("placement — a node declared with `key`", () => {
    whole("runs on the task that owns the key", async (scene) => {
      const owners = new Map<string, number>();
      for (let n = 0; n < 3; n += 1) {
        const input = { keys: ["a", "b", "c", "d", "e", "f", "g"], count: 2 };
        const invocation = await scene.runtime.agent("keyed").initiate(input, scene.given);
        await invocation.result();
        for (const { node, message, task } of await finishedNodes(invocation, "end")) {
          if (node !== "work") continue;
          // cast: what that node is given.
          const { key } = message as { readonly key: string };
          expect(owners.get(key) ?? task).toBe(task);
          owners.set(key, task);
        }
      }
      expect(new Set(owners.values()).size).toBeGreaterThan(1);
    });

    both("one invocation at a time per key, in arrival order, waits included", async (scene) => {
      const input = { keys: ["x", "y", "z"], count: 6 };
      const { id } = await scene.runtime.agent("keyed").initiate(input, scene.given);
      await scene.cut("holding");
      expect(await scene.runtime.agent("keyed").get(id).result()).toBe(18);
      for (const key of input.keys) {
        const lines = scene.notes().filter((line) => line.startsWith(key));
        // Who was cut off before it had finished enters again, before all others.
        const kept: string[] = [];
        for (const line of lines) {
          const before = kept.lastIndexOf(line);
          if (before !== -1) kept.length = before;
          kept.push(line);
        }
        const expected = [0, 1, 2, 3, 4, 5].flatMap((n) => [`enter ${n}`, `leave ${n}`]);
        expect(kept).toEqual(expected.map((what) => `${key} ${what}`));
      }
    });
  });
}

function callers({ both, whole }: Told): void {
  describe("placement — a wait never holds a thread", () => {
    both("a recursive agent works on two threads", async (scene) => {
      const { id } = await scene.runtime.agent("deep").initiate(40, scene.given);
      await scene.cut("the bottom");
      expect(await scene.runtime.agent("deep").get(id).result()).toBe(40);
    });

    whole("agents may call each other", async (scene) => {
      expect(await scene.runtime.agent("even").invoke(9)).toBe(false);
      expect(await scene.runtime.agent("odd").invoke(9)).toBe(true);
    });

    both("work for a key that one of its own callers holds is refused, at once", async (scene) => {
      const input = { key: scene.key, depth: 1 };
      const { id } = await scene.runtime.agent("blocked").initiate(input, scene.given);
      await scene.cut("holds");
      // KEY_DEADLOCK, with the cycle.
      const result = await scene.runtime.agent("blocked").get(id).result();
      expect(result).toMatch(/^refused: \S+ \S+$/);
      expect(result).toContain(id);
    });

    whole("reentrant: true gives up the exclusion while it waits", async (scene) => {
      const input = { key: scene.key, depth: 3 };
      expect(await scene.runtime.agent("entered").invoke(input)).toBe("the bottom");
    });
  });
}

function results({ both }: Told): void {
  describe("completion — the first result", () => {
    both("wins, resolves the client at once, and stops nothing", async (scene) => {
      const invocation = await scene.runtime.agent("racing").initiate("", scene.given);
      // None of its siblings has given one: they wait until they are told.
      expect(await invocation.result()).toBe("fast");
      scene.note("go");
      await scene.cut("slow");
      const again = scene.runtime.agent("racing").get(invocation.id);
      const traces = await finishedNodes(again, "slow", 3);
      for (const name of ["a", "b", "c"]) expect(scene.times(`slow ${name}`)).toBeGreaterThan(0);
      // Later results are dropped without error.
      expect(await again.result()).toBe("fast");
      expect(traces.flatMap(({ failures }) => failures)).toEqual([]);
    });
  });
}

function failures({ both }: Told): void {
  describe("completion — without a result", () => {
    both("fails with 'Agent completed without result' when all have finished", async (scene) => {
      const { id } = await scene.runtime.agent("silent").initiate(4, scene.given);
      await scene.cut("leaf");
      const invocation = scene.runtime.agent("silent").get(id);
      const { details } = await errorOf("INVOCATION_FAILED", invocation.result());
      expect(details).toMatchObject({ reason: "Agent completed without result", failures: [] });
      for (const n of [0, 1, 2, 3]) expect(scene.times(`leaf ${n}`)).toBeGreaterThan(0);
      const traces = await tracesOf(invocation);
      expect(traces.every(({ status }) => status === "finished")).toBe(true);
    });

    both("all failures of all attempts stay on the record", async (scene) => {
      const { id } = await scene.runtime.agent("failing").initiate("", scene.given);
      await scene.cut("second attempt");
      const outcome = scene.runtime.agent("failing").get(id).result();
      const { details } = await errorOf("INVOCATION_FAILED", outcome);
      // `<reason> (last failure: <first line of the last error>)`
      expect(details.reason).toBe('Node "bad" failed (last failure: attempt 2)');
      // With node name, message and stack.
      expect(details.failures).toMatchObject(
        [0, 1, 2].map((attempt) => {
          const stack = expect.stringContaining("agents-graphs");
          return { node: "bad", message: `attempt ${attempt}\nand more`, stack };
        }),
      );
    });
  });
}
