// A bug here would look like this: an operation that is carried out twice, since its record was
// forgotten too early, or records that stay for ever.

import { describe, expect, it } from "vitest";
import { DoneNodes } from "../../../agents/node/done-nodes.js";
import { rootNodeId } from "../../../agents/wire/invocation-id.js";
import { decodeAgentMessage, type RunMessage } from "../../../agents/wire/message.js";
import { operationIndex } from "../../../runtime/operation-id.js";
import type { OwnWork, TaskPort, Turn } from "../../../runtime/task-program.js";
import { noBytes } from "../../../agents/wire/wire-field.js";

const ownTask = 1;

/** One batch of task 1: what was done in it. */
function batch() {
  const lastly: OwnWork[] = [];
  const sent: { readonly task: number; readonly counts: readonly number[] }[] = [];
  const forgotten: number[] = [];
  const refuse = (): never => {
    throw new Error("nothing else is done here");
  };
  const turn: Turn = {
    origin: { kind: "self" },
    get: refuse,
    put: refuse,
    delete: refuse,
    send: (task, bytes) => {
      const message = decodeAgentMessage(bytes);
      if (message.kind !== "forget") throw new Error(`a message of kind ${message.kind}`);
      sent.push({ task, counts: message.done.map(({ indexes }) => indexes.length) });
    },
    sendOwn: refuse,
    lastly: (apply) => void lastly.push(apply),
    forgetOperation: (id) => void forgotten.push(operationIndex(id)),
    recordOperation: refuse,
    once: refuse,
    notify: refuse,
    afterCommit: refuse,
  };
  const end = (): void => {
    for (const work of lastly.splice(0)) work(turn);
  };
  return { turn, sent, forgotten, end };
}

function run(no: number): RunMessage {
  const invocationId = Uint8Array.from({ length: 16 }, () => no);
  const nodeInvocationId = rootNodeId(invocationId, 0);
  const scope = { high: 0, low: 0 };
  const plain = { attempt: 0, carried: noBytes, key: undefined, message: noBytes };
  const names = { kind: "run", agent: "a", node: "n" } as const;
  return { ...names, invocationId, nodeInvocationId, scope, ...plain };
}

// cast: only the number of the task is looked at
const doneNodes = (): DoneNodes => new DoneNodes({ taskId: ownTask } as TaskPort);

describe("what done node invocations have recorded", () => {
  it("is forgotten at once by the task itself", () => {
    const { turn, sent, forgotten, end } = batch();
    doneNodes().forget(turn, run(1), [{ task: ownTask, indexes: [0, 3] }]);
    expect(forgotten).toEqual([0, 3]);
    end();
    expect(sent).toEqual([]);
  });

  it("is told to each other task in one message for the whole batch, and once", () => {
    const done = doneNodes();
    const first = batch();
    for (const no of [1, 2, 3]) {
      const recorded = [
        { task: 0, indexes: Array.from({ length: no }, (_, index) => index) },
        { task: 2, indexes: [no] },
      ];
      done.forget(first.turn, run(no), recorded);
    }
    expect(first.sent).toEqual([]);
    first.end();
    expect(first.sent).toEqual([
      { task: 0, counts: [1, 2, 3] },
      { task: 2, counts: [1, 1, 1] },
    ]);
    const second = batch();
    done.forget(second.turn, run(4), [{ task: 0, indexes: [7] }]);
    second.end();
    expect(second.sent).toEqual([{ task: 0, counts: [1] }]);
  });

  it("goes in several messages when it is much", () => {
    const done = doneNodes();
    const { turn, sent, end } = batch();
    const many = Array.from({ length: 3_000 }, (_, index) => index);
    for (const no of [1, 2, 3]) done.forget(turn, run(no), [{ task: 0, indexes: many }]);
    expect(sent.map(({ counts }) => counts)).toEqual([[3_000], [3_000]]);
    end();
    expect(sent.map(({ counts }) => counts)).toEqual([[3_000], [3_000], [3_000]]);
  });
});
