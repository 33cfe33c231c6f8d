// Sentences of agents.md, "Human input", and of "Client" what nodes and callers do with questions
// and sub-agents. A bug here would look like an answer that reaches another question, a question
// that a crash takes along, a child that is called twice.

import { describe, expect } from "vitest";
import type { HumanQuestion, Invocation } from "../../../agents/client/invocation.js";
import talks, { type Way } from "../../topologies/agents-talks.js";
import { codeOf, errorOf } from "./codes.js";
import { type Implementation, type Sentences, sentences, until } from "./stage.js";

type Told = Sentences<(typeof talks)["parts"]>;

export function humanSentences(implementation: Implementation): void {
  const told = sentences(implementation, talks);
  questions(told);
  answers(told);
  reruns(told);
  interruptions(told);
  children(told);
  ways(told);
}

async function questionOf(invocation: Invocation<unknown>): Promise<HumanQuestion> {
  const step = await invocation.nextStep();
  if (step.kind !== "question") throw new Error(`it has ended with ${String(step.result)}`);
  return step.question;
}

function questions({ whole, both }: Told): void {
  describe("human input — questions", () => {
    both("one is open per node invocation; questions survive restarts", async (scene) => {
      const { id } = await scene.runtime.agent("asking").initiate(scene.key, scene.given);
      const first = await questionOf(scene.runtime.agent("asking").get(id));
      expect(first).toMatchObject({ node: "ask", prompt: { first: scene.key } });
      if (scene.isCut) await scene.stage.crash();
      const invocation = scene.runtime.agent("asking").get(id);
      expect(await invocation.humanInputs()).toEqual([first]);
      await invocation.answer(first, "yes");
      const second = await questionOf(invocation);
      expect(second.prompt).toBe("second");
      await invocation.answer(second.id, "and no");
      await scene.cut("answered");
      scene.note("go");
      const again = scene.runtime.agent("asking").get(id);
      expect(await again.result()).toBe("yes,and no");
      expect(await again.humanInputs()).toEqual([]);
      // A result wins.
      expect(await again.nextStep()).toEqual({ kind: "result", result: "yes,and no" });
      expect(await scene.runtime.store("counts").get(scene.key)).toBe(1);
    });

    whole("any number are open per invocation of the agent", async (scene) => {
      const invocation = await scene.runtime.agent("polling").initiate(70, scene.given);
      let open: readonly HumanQuestion[] = [];
      await until(async () => {
        open = await invocation.humanInputs();
        return open.length === 70;
      });
      // Answering resolves exactly that question.
      for (const question of open.toReversed()) {
        await invocation.answer(question, `to ${String(question.prompt)}`);
      }
      const all = Array.from({ length: 70 }, (_, n) => `${n} to ${n}`);
      expect([...(await invocation.result())].sort()).toEqual(all.sort());
    });
  });
}

function answers({ whole }: Told): void {
  describe("human input — answers", () => {
    whole("answering returns on delivery, not when the node has finished", async (scene) => {
      const invocation = await scene.runtime.agent("asking").initiate(scene.key, scene.given);
      await invocation.answer(await questionOf(invocation), "no");
      await invocation.answer(await questionOf(invocation), "x");
      expect(await invocation.isComplete()).toBe(false);
      scene.note("go");
      expect(await invocation.result()).toBe("no,x");
      expect(await invocation.isComplete()).toBe(true);
    });

    whole("one that does not fit the schema is refused; the question stays open", async (scene) => {
      scene.note("go");
      const invocation = await scene.runtime.agent("asking").initiate(scene.key, scene.given);
      const question = await questionOf(invocation);
      await errorOf("SCHEMA_INVALID", invocation.answer(question, "perhaps"));
      expect(await invocation.humanInputs()).toEqual([question]);
      await invocation.answer(question, "yes");
      await invocation.answer(await questionOf(invocation), "x");
      expect(await invocation.result()).toBe("yes,x");
    });

    whole("to unknown or stale questions are refused with a coded error", async (scene) => {
      const agent = scene.runtime.agent("polling");
      const [one, other] = [await agent.initiate(1), await agent.initiate(1)];
      const question = await questionOf(one);
      await errorOf("QUESTION_UNKNOWN", other.answer(question.id, "x"));
      await errorOf("QUESTION_UNKNOWN", one.answer("no question", "x"));
      await one.answer(question, "x");
      await errorOf("QUESTION_STALE", one.answer(question, "x"));
      await other.answer(await questionOf(other), "y");
      expect([await one.result(), await other.result()]).toEqual([["0 x"], ["0 y"]]);
    });
  });
}

function reruns({ both }: Told): void {
  describe("human input — retries", () => {
    both("a re-run node asks again under a new id", async (scene) => {
      const { id } = await scene.runtime.agent("failing").initiate("sure?", scene.given);
      const first = await questionOf(scene.runtime.agent("failing").get(id));
      await scene.runtime.agent("failing").get(id).answer(first, "one");
      // A run after a crash is of the same attempt: it does not ask, the answer is there.
      await scene.cut("answered");
      const invocation = scene.runtime.agent("failing").get(id);
      const second = await questionOf(invocation);
      expect([second.prompt, second.id === first.id]).toEqual(["sure?", false]);
      await errorOf("QUESTION_STALE", invocation.answer(first, "one"));
      await invocation.answer(second, "two");
      expect(await invocation.result()).toBe("two");
    });
  });
}

function interruptions({ both }: Told): void {
  describe("human input — a retry while a question is open", () => {
    both("asks again under a new id; the old question is stale", async (scene) => {
      const begun = await scene.runtime.agent("interrupted").initiate("sure?", scene.given);
      const first = await questionOf(begun);
      scene.note("asked");
      await scene.cut("second attempt");
      const invocation = scene.runtime.agent("interrupted").get(begun.id);
      let open: readonly HumanQuestion[] = [];
      await until(async () => {
        open = await invocation.humanInputs();
        return open.length === 1 && open[0]?.id !== first.id;
      });
      await errorOf("QUESTION_STALE", invocation.answer(first, "one"));
      for (const question of open) await invocation.answer(question, "two");
      expect(await invocation.result()).toBe("two");
    });
  });
}

function children({ both }: Told): void {
  describe("sub-agents — questions", () => {
    both("invoke forwards each up to the top, and passes the answer down", async (scene) => {
      const way: Way = "invokes what asks";
      const { id } = await scene.runtime.agent("top").initiate(way, scene.given);
      const question = await questionOf(scene.runtime.agent("top").get(id));
      expect(question).toMatchObject({ node: "call", prompt: `what of ${way}?` });
      if (scene.isCut) await scene.stage.crash();
      const invocation = scene.runtime.agent("top").get(id);
      expect(await invocation.humanInputs()).toEqual([question]);
      await invocation.answer(question, "an answer");
      await scene.cut("called");
      const again = scene.runtime.agent("top").get(id);
      expect(await again.result()).toBe("an answer!");
      expect(await again.humanInputs()).toEqual([]);
      expect(await codeOf(again.answer(question, "late"))).toBe("QUESTION_STALE");
    });

    both("driving a child by nextStep does not forward", async (scene) => {
      const { id } = await scene.runtime.agent("top").initiate("drives what asks", scene.given);
      await scene.cut("called: drives what asks");
      await scene.noted("asked what of drives what asks?");
      const invocation = scene.runtime.agent("top").get(id);
      expect(await invocation.humanInputs()).toEqual([]);
      scene.note("answer");
      expect(await invocation.result()).toBe("driven to by the node");
    });
  });
}

function ways({ both }: Told): void {
  const expected: readonly [Way, string][] = [
    ["initiates", "done with initiates"],
    ["streams", "streams 0,streams 1,streams 2"],
    ["cancels what hangs", "cancelled"],
  ];
  describe("sub-agents — inside nodes they have the same client", () => {
    both("async, stream and cancel work there too", async (scene) => {
      const ids = new Map<Way, string>();
      for (const [way] of expected) {
        ids.set(way, (await scene.runtime.agent("top").initiate(way, scene.given)).id);
      }
      await scene.cut(...expected.map(([way]) => `called: ${way}`));
      for (const [way, result] of expected) {
        const outcome = await scene.runtime
          .agent("top")
          .get(ids.get(way) ?? "")
          .result();
        expect([way, outcome]).toEqual([way, result]);
      }
      await scene.noted("child stops");
    });

    both("a child that fails is a failure of the node, which begins it anew", async (scene) => {
      const way: Way = "invokes what fails";
      const { id } = await scene.runtime.agent("middle").initiate(way, scene.given);
      await scene.cut("child fails");
      const invocation = scene.runtime.agent("middle").get(id);
      const { details } = await errorOf("INVOCATION_FAILED", invocation.result());
      expect(details.failures.map(({ node }) => node)).toEqual(["call", "call", "call"]);
      // Three attempts of three children, and a run that was cut off.
      expect(scene.times(`child ${way}`)).toBe(scene.isCut ? 10 : 9);
    });
  });
}
