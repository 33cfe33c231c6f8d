// What the simulator's trial judges of answers and chunks: each made-up fault is noticed, as what
// it is, and nothing else is. Bugs here would look like a trial that cannot fail.
import { describe, expect, it } from "vitest";
import type { StreamEvent } from "../../../index.js";
import { AnswerBook } from "../../../trials/sim/answer-book.js";
import { Followed, FollowedRelay } from "../../../trials/sim/followed.js";
import { Turns } from "../../../trials/sim/turns.js";
import { foundSitting, unasked } from "../../../trials/sim/waiting-topology.js";

const rulesOf = (problems: readonly string[]) => problems.map((text) => text.slice(0, 2));

describe("sim — answers", () => {
  const place = "q1 0 0";

  it.each([
    ["an answer that was taken", "taken", { [place]: ["t1"] }, []],
    ["one of which nobody knows", "unknown", { [place]: ["t1"] }, []],
    ["one that never arrived", "unknown", {}, []],
    ["a place that asked again", "taken", { "q1 0 1": [unasked] }, []],
    ["one that was taken and is gone", "taken", {}, ["Q3"]],
    ["one that was taken twice", "taken", { [place]: ["t1", "t1"] }, ["Q1"]],
    ["one of another place", "unknown", { "q1 1 0": ["t1"] }, ["Q1"]],
    ["one that nobody gave", "unknown", { [place]: ["t9"] }, ["Q1"]],
    ["one that was refused", "refused", { [place]: ["t1"] }, ["Q2"]],
    ["a refusal while nobody had answered", "refused", {}, ["Q4"]],
  ] as const)("judge %s", (_what, fate, taken, rules) => {
    const book = new AnswerBook();
    book.give("t1", place);
    if (fate === "taken") book.taken("t1", "question-1", 5);
    if (fate === "refused") book.refused("t1");
    const rows = new Map<string, readonly string[]>(Object.entries(taken));
    expect(rulesOf(book.problems(rows))).toEqual(rules);
  });

  it("know from when on a question must not be shown", () => {
    const book = new AnswerBook();
    book.taken("t1", "question-1", 5);
    expect(book.isClosed("question-1", 5)).toBe(false);
    expect(book.isClosed("question-1", 6)).toBe(true);
    expect(book.isClosed("question-2", 6)).toBe(false);
  });
});

describe("sim — turns", () => {
  it.each([
    ["one after the other", "ab", [undefined, undefined]],
    ["one that runs again, and then the next", "aab", [undefined, undefined, undefined]],
    ["one that runs again behind the next", "aba", [undefined, undefined, "b"]],
    ["the next, which is behind it then", "abab", [undefined, undefined, "b", "a"]],
  ] as const)("judge %s", (_what, order, behind) => {
    const turns = new Turns();
    const begun = [...order].map((nodeInvocationId) => turns.begin("key", { nodeInvocationId }));
    expect(begun).toEqual(behind);
    expect(turns.begin("other key", { nodeInvocationId: "a" })).toBeUndefined();
  });

  it("tell for whom somebody sat who was found at a desk", () => {
    expect(foundSitting("q2 intruded on after q1 00112233aabbccdd")).toBe("after q1");
    expect(foundSitting("q2 part 1")).toBeUndefined();
  });
});

describe("sim — chunks", () => {
  const part = { key: "k", chunks: 2, throwsBelow: 0, pauseMs: 0 };
  const story = { id: "s1", parts: [part, { ...part, chunks: 0 }] };
  const nodeInvocationId = "n1";
  const chunk = (index: number, attempt = 0, told = index): StreamEvent => {
    return { kind: "chunk", nodeInvocationId, index, value: { part: 0, index: told, attempt } };
  };
  const reset: StreamEvent = { kind: "reset", nodeInvocationId };
  const completed: StreamEvent = { kind: "completed", nodeInvocationId };

  it.each([
    ["all of it", [chunk(0), chunk(1), completed], []],
    ["a run that was begun anew", [chunk(0), reset, chunk(0, 1), chunk(1, 1), completed], []],
    ["a chunk that is missing", [chunk(1), completed], ["T1", "T3"]],
    ["a chunk that came twice", [chunk(0), chunk(1), chunk(1), completed], ["T1", "T3"]],
    ["a chunk in another's place", [chunk(0), chunk(1, 0, 0), completed], ["T1"]],
    ["chunks of two runs", [chunk(0), chunk(1, 1), completed], ["T2"]],
    ["an attempt behind a later one", [chunk(0, 1), reset, chunk(0), chunk(1), completed], ["T2"]],
    ["a list that is cut off", [chunk(0), completed], ["T3"]],
    ["a list without its end", [chunk(0), chunk(1)], ["T3"]],
    ["a chunk behind the end", [chunk(0), completed, chunk(1)], ["T3"]],
    ["nothing", [], ["T3"]],
  ] as const)("judge %s", (_what, events, rules) => {
    const followed = new Followed("s1", false);
    for (const event of events) followed.take(event);
    followed.end(story, "all");
    expect(rulesOf(followed.problems)).toEqual(rules);
    // The same, passed on by another: its own list is whole.
    const relay = new FollowedRelay("s1");
    for (const [index, value] of events.entries()) {
      relay.take({ kind: "chunk", nodeInvocationId: "n2", index, value });
    }
    if (events.length > 0) relay.take({ kind: "completed", nodeInvocationId: "n2" });
    relay.end(story);
    expect(rulesOf(relay.problems)).toEqual(rules);
  });

  it("tell nobody who comes late of a reset", () => {
    const followed = new Followed("s1", true);
    for (const event of [chunk(0), reset, chunk(0), chunk(1), completed]) followed.take(event);
    followed.end(story, "first");
    expect(rulesOf(followed.problems)).toEqual(["T4"]);
  });
});
