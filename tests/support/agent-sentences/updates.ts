// Sentences of agents.md, "Update modes": what was under way when another version is launched.

import { describe, expect } from "vitest";
import one from "../../topologies/agents-version-one.js";
import three from "../../topologies/agents-version-three.js";
import two from "../../topologies/agents-version-two.js";
import { errorOf } from "./codes.js";
import {
  finishedNodes,
  type Implementation,
  type Scene,
  type Sentences,
  sentences,
} from "./stage.js";

type Parts = (typeof one)["parts"];

type Told = Sentences<Parts>;

const modes = ["goesOn", "restarts", "drops"] as const;

export function updateSentences(implementation: Implementation): void {
  // Each begins with a directory of its own: versions only go up.
  once(sentences(implementation, one));
  retried(sentences(implementation, one));
  notAtAll(sentences(implementation, one));
  twice(sentences(implementation, one));
}

/** Invocations of all three that stand in their second node. */
async function standing(scene: Scene<Parts>, stands: string) {
  const ids = new Map<string, string>();
  for (const name of modes) {
    ids.set(name, (await scene.runtime.agent(name).initiate(stands, scene.given)).id);
    await scene.noted(`at ${name} second of 1`);
  }
  return (name: (typeof modes)[number]) => scene.runtime.agent(name).get(ids.get(name) ?? "");
}

function once({ cut }: Told): void {
  describe("update modes — the graph has changed by one version", () => {
    cut("continue: with the new functions; restart: from the root; drop: fails", async (scene) => {
      const of = await standing(scene, "1");
      await scene.stage.reopen(two);
      expect(await of("goesOn").result()).toBe("by 2");
      expect(scene.times("goesOn first by 2")).toBe(0);
      expect(await of("restarts").result()).toBe("by 2");
      expect(scene.times("restarts first by 2")).toBe(1);
      const { details } = await errorOf("INVOCATION_FAILED", of("drops").result());
      expect(details.reason).toMatch(/^Retry dropped \(.*has changed once/);
      expect(scene.times("drops first by 2")).toBe(0);
    });
  });
}

/** Of what is judged so many that a launch has not come to all of them when they fail. */
const retriedCounts = { goesOn: 8, restarts: 100, drops: 100 } as const;

function retried({ cut }: Told): void {
  describe("update modes — act on a retry when the graph has changed by one version", () => {
    cut("continue: by the new functions; restart: from the root; drop: fails", async (scene) => {
      const begun = modes.flatMap((name) =>
        Array.from({ length: retriedCounts[name] }, (_, n) => ({ name, input: `fails ${n}` })),
      );
      const ids = await Promise.all(
        begun.map(async ({ name, input }) => {
          const { id } = await scene.runtime.agent(name).initiate(input, scene.given);
          return { name, id };
        }),
      );
      for (const { name, input } of begun) await scene.noted(`at ${name} ${input}`);
      await scene.stage.reopen(two);
      const ended = ids.map(async ({ name, id }) => {
        const result = scene.runtime.agent(name).get(id).result();
        if (name !== "drops") expect([name, await result]).toEqual([name, "by 2 in 1"]);
        else {
          const { details } = await errorOf("INVOCATION_FAILED", result);
          expect(details.reason).toMatch(/^Retry dropped \(.*has changed once/);
        }
      });
      await Promise.all(ended);
      const again = modes.map((name) => scene.times(`${name} first by 2`));
      expect(again).toEqual([0, retriedCounts.restarts, 0]);
    });
  });
}

function notAtAll({ cut }: Told): void {
  describe("update modes — the graph has not changed", () => {
    cut("same version: always continue", async (scene) => {
      const of = await standing(scene, "1");
      await scene.stage.reopen(one);
      for (const name of modes) {
        expect(await of(name).result()).toBe("by 1");
        expect(scene.times(`${name} first by 1`)).toBe(1);
      }
    });
  });
}

function twice({ cut }: Told): void {
  describe("update modes — two versions or more", () => {
    cut("always drop; forks of a parent of an older graph version are refused", async (scene) => {
      const calm = { metadata: { ...scene.given.metadata, cut: false } };
      const parent = await scene.runtime.agent("goesOn").initiate("", calm);
      const finished = await finishedNodes(parent, "second");
      const changes = { [finished[1]?.nodeInvocationId ?? ""]: "x" };
      const of = await standing(scene, "12");
      await scene.stage.reopen(two);
      // Only one that goes on has not been judged yet.
      await scene.noted("at goesOn second of 2");
      await scene.stage.reopen(three);
      const { details } = await errorOf("INVOCATION_FAILED", of("goesOn").result());
      expect(details.reason).toMatch(/^Retry dropped \(.*has changed 2 times/);
      const old = scene.runtime.agent("goesOn").get(parent.id);
      await errorOf("FORK_OUTDATED", old.initiateFork(changes));
    });
  });
}
