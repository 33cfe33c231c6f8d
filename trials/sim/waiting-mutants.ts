// Waiting mutants — rules of waits, questions, sub-agents and streams, each broken as in
// mutants.ts.

import type { BrokenRule } from "./mutants.js";

/** Waits: rows, outcomes, and functions that are given up meanwhile. */
const waits: readonly BrokenRule[] = [
  {
    name: "outcome-not-recorded",
    rule: "the outcome of a wait is in the frame that ends it",
    file: "agents/node/waits.js",
    find: "turn.recordOperation(operationId(operationPrefix(run), index + 1), row.digest, kept);",
    replace: "",
  },
  {
    name: "answer-not-kept",
    rule: "an answer that its node is still to look at is a row",
    file: "agents/node/waits.js",
    find: "turn.put(waitTable, answerKey(place, answerNo), encodeAnswer({ by, value }));",
    replace: "",
  },
  {
    name: "pause-forgotten",
    rule: "a pause goes on after a restart",
    file: "agents/node/waits.js",
    find: `if (wanted.kind === "pause")
                this.#pauses.add(`,
    replace: `if (wanted.kind === "never")
                this.#pauses.add(`,
  },
  {
    name: "rests-for-ever",
    rule: "what has something to go on with does not rest on record",
    file: "agents/node/waits.js",
    find: `row.digest, kept);
        this.#resting.drop(turn, arrivalNo);`,
    replace: "row.digest, kept);",
  },
  {
    name: "sleeps-for-ever",
    rule: "a function that was given up runs again when its outcome is there",
    file: "agents/node/waiting-runs.js",
    find: "if (this.#asleep.delete(arrivalNo))\n            this.#hooks.goOn(arrivalNo);",
    replace: "",
  },
  {
    name: "stored-answers-not-looked-at",
    rule: "a run that waits again looks at the answers that came before it",
    file: "agents/node/node-waits.js",
    find: "else\n            this.#lookAtStored(place, digest);",
    replace: "",
  },
];

/** Questions: open, closed, passed on and answered. */
const questions: readonly BrokenRule[] = [
  {
    name: "answered-and-open",
    rule: "a question that was answered is not asked any more",
    file: "agents/home/questions.js",
    find: "removeQuestion(turn, invocationId, found);",
    replace: "",
  },
  {
    name: "told-before-it-is-closed",
    rule: "an answerer is told when the question is closed where he answered it",
    file: "agents/home/questions.js",
    find: "if (isHere || !isPassedOn)",
    replace: "if (isHere || isPassedOn)",
  },
  {
    name: "refused-and-taken",
    rule: "an answer that does not fit leaves its question open",
    file: "agents/node/waits.js",
    find: "if (isTaken) {",
    replace: "if (isTaken || bytes.length > 0) {",
  },
  {
    name: "not-passed-on-to-who-comes-late",
    rule: "who begins to wait for an invocation is asked what it asks already",
    file: "agents/home/questions.js",
    find: `this.#passOn(turn, caller, invocationId, question, row.prompt);
        }`,
    replace: "}",
  },
  {
    name: "not-withdrawn",
    rule: "questions that were passed on go with the node that waits",
    file: "agents/node/passed-questions.js",
    find: 'wanted.kind === "result" && wanted.passesOn',
    replace: 'wanted.kind === "never" && wanted.passesOn',
  },
  {
    name: "tokens-from-one",
    rule: "an answerer is told of his own answer, not of one of an earlier life",
    file: "agents/client/outcome-waiters.js",
    find: "this.#token = Math.floor(port.random() * tokensMax);",
    replace: "this.#token = 0;",
  },
];

/** Keys that are held, lent and waited for meanwhile. */
const keys: readonly BrokenRule[] = [
  {
    name: "circles-wait",
    rule: "who waits for a key that its own caller holds is refused",
    file: "agents/node/key-deadlocks.js",
    find: "if (from === -1 && !isCut)",
    replace: "if (from >= -1 && !isCut)",
  },
  {
    name: "keys-not-lent",
    rule: "a reentrant node lends its key while it waits",
    file: "agents/node/key-lines.js",
    find: "return this.#gates.yield(gate, arrivalNo);",
    replace: "return undefined;",
  },
];

/** Agents that call agents. */
const subAgents: readonly BrokenRule[] = [
  {
    name: "steps-not-told",
    rule: "who drives an invocation by its steps is told of its questions",
    file: "agents/home/questions.js",
    find: `if (caller.until === "step") {`,
    replace: `if (caller.until === "never") {`,
  },
  {
    name: "children-by-chance",
    rule: "a node that is run again has the same child",
    file: "agents/node/sub-agents.js",
    find: "view.setUint32(24, waits.nextIndex);",
    replace: "view.setUint32(24, Math.floor(port.random() * 2 ** 32));",
  },
  {
    name: "children-of-each-attempt",
    rule: "a later attempt goes on with the child of an earlier one",
    file: "agents/node/sub-agents.js",
    find: "const attempt = this.#attemptOf(waits, kind, idOf);",
    replace: "const { attempt } = this.#run;",
  },
  {
    name: "children-go-on",
    rule: "a cancel reaches the invocations that are waited for",
    file: "agents/node/own-children.js",
    find: "this.begun(turn, arrivalNo, decodeWait(row.slice()).wanted);",
    replace: ";",
  },
  {
    name: "begun-go-on",
    rule: "a cancel reaches the invocations that a node has begun and does not wait for",
    file: "agents/node/waits.js",
    find: `this.children.begun(turn, arrivalNo, wanted);
        else`,
    replace: `;
        else`,
  },
  {
    name: "told-before-children",
    rule: "a cancel is told when the children have stopped as well",
    file: "agents/node/failed-nodes.js",
    find: "if (!children.has(arrivalNo)) {",
    replace: "if (children !== undefined) {",
  },
  {
    name: "children-forgotten",
    rule: "children are on record, and are asked again after a death",
    file: "agents/node/waits.js",
    find: "this.children.start();",
    replace: "",
  },
  {
    name: "caller-not-told",
    rule: "a node that waits for an invocation is told how it ended, over restarts",
    file: "agents/home/questions.js",
    find: "addCaller(turn, invocationId, caller);",
    replace: "if (invocationId[15] % 2 === 0)\n            addCaller(turn, invocationId, caller);",
  },
];

/** Streams: chunks once, in order, whole. */
const chunks: readonly BrokenRule[] = [
  {
    name: "resets-for-who-comes-late",
    rule: "who comes late sees no resets",
    file: "agents/client/stream-client.js",
    find: "if (next > 0)",
    replace: "if (next >= 0)",
  },
  {
    name: "whole-too-early",
    rule: "a list is complete when its node has finished",
    file: "agents/home/streams.js",
    find: 'ended !== undefined ? "completed" : stateOf(standing)',
    replace: 'page.chunks.length === 0 && head !== undefined ? "completed" : stateOf(standing)',
  },
];

export const waitingMutants: readonly BrokenRule[] = [
  ...waits,
  ...questions,
  ...keys,
  ...subAgents,
  ...chunks,
];
