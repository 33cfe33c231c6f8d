// Sentences of agents.md, "Agent objects". A bug here would look like a connection that two nodes
// have at a time, or that nobody closes.

import { describe, expect } from "vitest";
import objects from "../../topologies/agents-objects.js";
import { codeOf } from "./codes.js";
import { type Implementation, type Sentences, sentences, until } from "./stage.js";

type Told = Sentences<(typeof objects)["parts"]>;

const keys = Array.from({ length: 24 }, (_, n) => n);

export function objectSentences(implementation: Implementation): void {
  const threads = Math.max(1, implementation.threads);
  const told = sentences(implementation, objects);
  sharedOnes(told, threads);
  pools(told, threads);
}

function sharedOnes({ whole }: Told, threads: number): void {
  describe("agent objects — shared ones", () => {
    whole(
      "a value as is; built once per thread, with others; closed on shutdown",
      async (scene) => {
        const agent = scene.runtime.agent("sharing");
        const names = await Promise.all(keys.map((n) => agent.invoke(n, scene.given)));
        const built = [...new Set(names)];
        expect(built.length).toBe(threads);
        expect(built.every((name) => name.startsWith("shared red "))).toBe(true);
        expect(scene.notes()).toEqual([]);
        await scene.stage.reopen();
        expect([...scene.notes()].sort()).toEqual(built.map((name) => `closed ${name}`).sort());
      },
    );
  });
}

function pools({ whole, both }: Told, threads: number): void {
  describe("agent objects — pools", () => {
    both("an instance belongs to a node invocation until it ends, failed or not", async (scene) => {
      const inputs = keys.map((n) => ({ n, throws: n % 3 === 0 }));
      const expectedCodes = inputs.map(({ throws }) => (throws ? "INVOCATION_FAILED" : "none"));
      // Instances are handed on to those that wait, and then lie there for the next ones.
      for (const isFirst of [true, false]) {
        const begun = await Promise.all(
          inputs.map((input) => scene.runtime.agent("lending").initiate(input, scene.given)),
        );
        if (isFirst) await scene.cut("has");
        const { agent } = scene.runtime;
        const codes = await Promise.all(
          begun.map(({ id }) => codeOf(agent("lending").get(id).result())),
        );
        expect(codes).toEqual(expectedCodes);
      }
      const lines = scene.notes();
      const names = new Set(lines.map((line) => line.split(" ").slice(1).join(" ")));
      // What was lent when all was cut off is built again.
      expect(names.size).toBeLessThanOrEqual((scene.isCut ? 4 : 2) * threads);
      for (const name of names) {
        const own = lines.filter((line) => line.endsWith(` ${name}`));
        const expected = own.map((_, at) => `${at % 2 === 0 ? "has" : "ends"} ${name}`);
        expect(own).toEqual(expected);
      }
    });

    whole(
      "waiting longer than acquireTimeoutMs throws Could not acquire object.",
      async (scene) => {
        const agent = scene.runtime.agent("waiting");
        const all = keys.map((n) => agent.invoke(n, scene.given));
        // One of each thread has it, and holds it.
        const refused = keys.length - threads;
        const message = "Could not acquire object.";
        await until(() => scene.times(message) === refused);
        scene.note("go");
        const results = await Promise.all(all);
        expect(results.filter((name) => name === "none").length).toBe(refused);
        expect(new Set(results).size).toBe(1 + threads);
      },
    );
  });
}
