// Wait requests — what a node's task asks of home tasks when one of its nodes begins to wait.
//
// Owns: those messages. Leaves to others: the rows of waits (waits.ts), bytes
// (question-message.ts).

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { noBytes } from "../wire/wire-field.js";
import { type CallerChain, chainSeenFrom, decodeCarried, encodeCarried } from "../wire/carried.js";
import { type InvocationId, placementOf } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { type Caller, encodeQuestion, type QuestionMessage } from "../wire/question-message.js";
import type { Beginning, Wanted, WaitPlace } from "../wire/wait-fields.js";

/** Which node waits. */
export interface WaitingRow {
  readonly place: WaitPlace;
  readonly run: RunMessage;
  /** The attempt of its invocation that it runs in. */
  readonly attempt: number;
}

export function sendRequest(turn: Turn, port: TaskPort, row: WaitingRow, wanted: Wanted): void {
  const send = (of: InvocationId, message: QuestionMessage): void => {
    turn.send(port.ownerOf(placementOf(of)), encodeQuestion(message));
  };
  const { place, run, attempt } = row;
  const { taskId: task } = port;
  switch (wanted.kind) {
    case "pause":
    case "neighbour":
    case "begun":
      return;
    case "answer": {
      const { invocationId, node } = run;
      const { question, prompt } = wanted;
      const asker = { node, task, ...place, attempt, origin: undefined };
      send(invocationId, { kind: "asked", invocationId, question, ...asker, prompt });
      return;
    }
    case "receipt": {
      const { agent, child, question, value } = wanted;
      const by = { invocationId: child, answerer: { kind: "node", task, ...place } } as const;
      send(child, { kind: "answer", agent, invocationId: child, question, by, value });
      return;
    }
    case "step": {
      const caller: Caller = { task, ...place, until: "step" };
      send(wanted.child, attach(wanted, caller));
      return;
    }
    default: {
      const { kind, child, beginning } = wanted;
      const until = kind === "begin" ? "begun" : "result";
      const caller: Caller = { task, ...place, until };
      if (beginning === undefined) send(child, attach(wanted, caller));
      else {
        const waits = kind === "result";
        const { metadata } = beginning;
        const carried = encodeCarried({ metadata, ...calledBy(run, task, waits) });
        send(child, beginOf(wanted, beginning, kind === "nothing" ? undefined : caller, carried));
      }
    }
  }
}

function attach(
  { agent, child }: { readonly agent: string; readonly child: InvocationId },
  caller: Caller,
): QuestionMessage {
  return { kind: "attach", agent, invocationId: child, caller };
}

function beginOf(
  { agent, child }: { readonly agent: string; readonly child: InvocationId },
  { key, input, call }: Beginning,
  caller: Caller | undefined,
  carried: Uint8Array,
): QuestionMessage {
  return { kind: "begin", agent, invocationId: child, caller, call, carried, key, input };
}

/** The same of what it begins in another topology, in bytes. */
export function callersFor(
  topology: string,
  run: RunMessage,
  port: TaskPort,
  waits: boolean,
): Uint8Array {
  const chain = chainSeenFrom(topology, port.topology, calledBy(run, port.taskId, waits));
  return encodeCarried({ metadata: noBytes, ...chain });
}

/** The callers of what a node of this task begins; `waits`: it waits for that from the start. */
function calledBy(
  { carried, invocationId }: RunMessage,
  task: number,
  waits: boolean,
): CallerChain {
  const { callers, isCut } = decodeCarried(carried);
  return { callers: [...callers, { invocationId, task, topology: "", waits }], isCut };
}
