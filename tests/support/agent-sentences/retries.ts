// Sentences of agents.md, "Failures and retries". A bug here would look like something finished
// that is done again, something unfinished that is not, or an orphan that still has a say.

import { describe, expect } from "vitest";
import retries, { type OrphanEnd } from "../../topologies/agents-retries.js";
import { codeOf, errorOf } from "./codes.js";
import {
  finishedNodes,
  type Implementation,
  type Scene,
  type Sentences,
  sentences,
  tracesOf,
  until,
} from "./stage.js";

type Told = Sentences<(typeof retries)["parts"]>;

export function retrySentences(implementation: Implementation): void {
  const told = sentences(implementation, retries);
  counters(told);
  walks(told);
  orphans(told);
  times(told);
  cancels(told);
  children(told);
}

function counters({ both }: Told): void {
  describe("retries — one retry counter per invocation", () => {
    both("several failures of one attempt cause one retry", async (scene) => {
      const { id } = await scene.runtime.agent("several").initiate(4, scene.given);
      await scene.cut("second attempt");
      // It has one retry, and all four have failed.
      expect(await scene.runtime.agent("several").get(id).result()).toBe(6);
      for (const n of [0, 1, 2, 3]) {
        expect(scene.times(`part ${n} in 0`)).toBe(1);
        expect(scene.times(`part ${n} in 1`)).toBeGreaterThan(0);
      }
    });

    both(
      "a failure report of an attempt that is not the current one changes nothing",
      async (scene) => {
        const parts = Array.from({ length: 16 }, (_, n) => n);
        const { id } = await scene.runtime.agent("stale").initiate(parts.length, scene.given);
        await scene.cut("second attempt");
        const invocation = scene.runtime.agent("stale").get(id);
        expect(await invocation.result()).toBe(120);
        // The first of them began the next attempt, in which each of them has run.
        for (const n of parts) {
          const runs = [0, 1].map((attempt) => scene.times(`part ${n} in ${attempt}`));
          if (scene.isCut) expect(Math.min(...runs)).toBeGreaterThan(0);
          else expect(runs).toEqual([1, 1]);
        }
        expect(scene.notes().filter((line) => !/in [01]$/.test(line))).toEqual([]);
        // But that it is noted: once for each that was told.
        const traces = await finishedNodes(invocation, "part", parts.length);
        const failures = traces.flatMap((trace) => trace.failures);
        expect(failures.every(({ node, attempt }) => node === "part" && attempt === 0)).toBe(true);
        const told = failures.map(({ message }) => message);
        expect(told.length).toBeGreaterThan(1);
        expect(new Set(told).size).toBe(told.length);
      },
    );

    both("after a result there is no retry", async (scene) => {
      const { id } = await scene.runtime.agent("late").initiate("given", scene.given);
      expect(await scene.runtime.agent("late").get(id).result()).toBe("given");
      scene.note("go");
      await scene.cut("fails");
      await scene.noted("throws");
      await scene.runtime.drain();
      expect(scene.times("throws")).toBe(1);
      expect(scene.notes().some((line) => line === "fails in 1")).toBe(false);
      expect(await scene.runtime.agent("late").get(id).result()).toBe("given");
    });
  });
}

function walks({ both }: Told): void {
  describe("retries — what is run again", () => {
    both("finished plain node: not re-run; unfinished: same message, same id", async (scene) => {
      const { id } = await scene.runtime.agent("walking").initiate("m", scene.given);
      await scene.cut("third");
      const invocation = scene.runtime.agent("walking").get(id);
      expect(await invocation.result()).toBe("m in 2");
      const runs = (node: string) => scene.notes().filter((line) => line.startsWith(node));
      expect(runs("first").length).toBe(1);
      expect([runs("second").length, new Set(runs("second")).size]).toEqual([2, 1]);
      expect([runs("third").length, new Set(runs("third")).size]).toEqual([scene.isCut ? 3 : 2, 1]);
      // Its emits are replayed with the same child ids.
      const ids = (await finishedNodes(invocation, "third")).map((one) => one.nodeInvocationId);
      expect(ids.map((one) => scene.notes().some((line) => line.endsWith(one)))).toEqual([
        true,
        true,
        true,
      ]);
    });

    both(
      "gather function failed: only it re-runs; finished scope: nothing inside",
      async (scene) => {
        const { id } = await scene.runtime.agent("scoped").initiate(5, scene.given);
        await scene.cut("all");
        const numbers = await scene.runtime.agent("scoped").get(id).result();
        expect([...numbers].sort()).toEqual([0, 1, 2, 3, 4]);
        expect(scene.times("split")).toBe(1);
        for (const n of numbers) expect(scene.times(`leaf ${n}`)).toBe(1);
        // With the saved state.
        const all = scene.notes().filter((line) => line.startsWith("all"));
        expect([all.length, new Set(all).size]).toEqual([scene.isCut ? 3 : 2, 1]);
      },
    );
  });
}

function orphans({ both }: Told): void {
  describe("retries — node invocations still running when a retry is accepted", () => {
    const ends: readonly OrphanEnd[] = ["completes", "fails", "gives a result"];
    both(
      "are refused writes and chunks, their completion, their failure; run again",
      async (scene) => {
        const ids = new Map<OrphanEnd, string>();
        for (const end of ends) {
          const input = { key: `${scene.key} ${end}`, end };
          ids.set(end, (await scene.runtime.agent("orphaning").initiate(input, scene.given)).id);
        }
        await scene.cut(...ends.map((end) => `again: ${end}`));
        for (const end of ends) {
          const invocation = scene.runtime.agent("orphaning").get(ids.get(end) ?? "");
          // There was one retry, and it is not used up.
          expect(await invocation.result()).toBe(`${end} in 1`);
          const codes = Array(3).fill("INVOCATION_RETRIED").join(" ");
          // Store reads still work.
          expect(scene.times(`${end}: refused ${codes}, read 5`)).toBe(1);
          expect(await scene.runtime.store("counts").get(`${scene.key} ${end}`)).toBe(5);
          const chunks: unknown[] = [];
          for await (const event of invocation.stream("hangs")) {
            if (event.kind === "chunk") chunks.push(event.value);
          }
          expect(chunks).toEqual(["attempt 1"]);
          const traces = await tracesOf(invocation);
          expect(traces.filter(({ node }) => node === "next").length).toBe(1);
        }
      },
    );
  });
}

/** Of many, one is shortened by so much that a busy machine does not make it look whole. */
const patientCount = 24;

function times({ both }: Told): void {
  describe("retries — time", () => {
    both("wait for retryBackoffMs, shortened by chance to half at most", async (scene) => {
      const ids: string[] = [];
      for (let n = 0; n < patientCount; n += 1) {
        ids.push((await scene.runtime.agent("patient").initiate(n, scene.given)).id);
      }
      await scene.cut("second attempt");
      for (const id of ids) await scene.runtime.agent("patient").get(id).result();
      const first = pausesOf(scene, 1);
      const second = pausesOf(scene, 2);
      expect([first.length, second.length]).toEqual([patientCount, patientCount]);
      // Timers may be a millisecond early.
      expect(Math.min(...first)).toBeGreaterThanOrEqual(399);
      expect(Math.min(...second)).toBeGreaterThanOrEqual(799);
      // Those of none are longer, but for what a machine takes to come to them.
      expect(Math.min(...first)).toBeLessThan(800);
      expect(Math.min(...second)).toBeLessThan(1_600);
    });

    both("nodeTimeoutMs: its ctx.signal aborts, then the attempt fails", async (scene) => {
      const { id } = await scene.runtime.agent("slow").initiate("x", scene.given);
      await scene.cut("a");
      expect(await scene.runtime.agent("slow").get(id).result()).toBe("x in 1");
      await scene.noted("NODE_TIMEOUT");
    });
  });
}

/** How long each waited between the end of an attempt and the first beginning of the next. */
function pausesOf(scene: Scene<(typeof retries)["parts"]>, attempt: number): readonly number[] {
  const timeOf = (what: string): number => {
    const line = scene.notes().find((other) => other.startsWith(what));
    if (line === undefined) throw new Error(`there is no line "${what}"`);
    return Number(line.split(" ").at(-1));
  };
  return Array.from({ length: patientCount }, (_, n) => {
    return timeOf(`${n} begins in ${attempt} at`) - timeOf(`${n} fails in ${attempt - 1} at`);
  });
}

function cancels({ whole, cut }: Told): void {
  describe("retries — cancel() on an invocation", () => {
    whole(
      "reaches nodes through ctx.signal, sub-agents too; then all has stopped",
      async (scene) => {
        const invocation = await scene.runtime.agent("parent").initiate(scene.key, scene.given);
        await scene.noted("runs");
        await scene.noted("child runs");
        const result = errorOf("INVOCATION_CANCELLED", invocation.result());
        await invocation.cancel();
        expect(scene.times("stops")).toBe(1);
        expect(scene.times("child stops")).toBe(1);
        await result;
        await scene.runtime.drain();
        expect([...scene.notes()].sort()).toEqual(["child runs", "child stops", "runs", "stops"]);
      },
    );

    cut("stands, and nothing of it runs any more", async (scene) => {
      const { id } = await scene.runtime.agent("parent").initiate(scene.key, scene.given);
      for (const line of ["runs", "child runs", "stays"]) await scene.noted(line);
      // It does not resolve as long as one of its nodes does not stop.
      const cancelled = codeOf(scene.runtime.agent("parent").get(id).cancel());
      await scene.cut("stays");
      expect(["TASK_EXITED", "CLOSED"]).toContain(await cancelled);
      const before = scene.notes();
      const invocation = scene.runtime.agent("parent").get(id);
      await invocation.cancel();
      expect(await codeOf(invocation.result())).toBe("INVOCATION_CANCELLED");
      await scene.runtime.drain();
      const after = scene.notes().slice(before.length);
      expect(after.filter((line) => !line.startsWith("child"))).toEqual([]);
      expect(scene.notes()).not.toContain("behind");
      expect(scene.notes()).not.toContain("b runs");
    });
  });
}

function children({ both, whole }: Told): void {
  /** The child that is begun, once it runs. */
  const foundIn = async (scene: Scene<(typeof retries)["parts"]>): Promise<string> => {
    await scene.noted("child runs");
    let found: string | undefined;
    await until(() => {
      found = scene.notes().find((line) => line.startsWith("child is "));
      return found !== undefined;
    });
    return found?.slice("child is ".length) ?? "";
  };

  describe("retries — cancel() and what a node has begun and does not wait for", () => {
    both("reaches it while that node runs; then it has stopped, too", async (scene) => {
      const input = { key: scene.key, ends: false };
      const { id } = await scene.runtime.agent("founding").initiate(input, scene.given);
      const child = await foundIn(scene);
      const cancelled = codeOf(scene.runtime.agent("founding").get(id).cancel());
      await scene.cut("told");
      await cancelled;
      await scene.runtime.agent("founding").get(id).cancel();
      const notes = scene.notes();
      const begun = scene.runtime.agent("child").get(child);
      expect(await codeOf(begun.result())).toBe("INVOCATION_CANCELLED");
      if (!scene.isCut) expect(notes).toContain("child stops");
      await scene.runtime.drain();
      expect(scene.notes()).toEqual(notes);
      expect(notes).not.toContain("b runs");
    });

    whole("does not reach it when that node has ended", async (scene) => {
      const input = { key: scene.key, ends: true };
      const invocation = await scene.runtime.agent("founding").initiate(input, scene.given);
      const child = await foundIn(scene);
      await scene.noted("next runs");
      await invocation.cancel();
      const begun = scene.runtime.agent("child").get(child);
      expect(await begun.isComplete()).toBe(false);
      expect(scene.notes()).not.toContain("child stops");
      await begun.cancel();
      expect(scene.times("child stops")).toBe(1);
    });
  });
}
