// Execution — what a task does with the messages of agents: it begins, runs, accounts, and ends.
//
// An invocation in five messages. `initiate` writes its record at home and sends `run` for the
// entry node; `run` puts a row into the queue of the task that is to run the node; when the
// function has returned, `completed` removes the row, sends a `run` for each emit and an `ack`
// home, all in one frame; `ack` settles the account of the record and ends it; `await` asks how
// it stands.
// Owns: who takes which message. Leaves to others: records and whom to tell (home/invocations.ts),
// node invocations that finish (node/completion.ts) and that fail (node/failed-nodes.ts), rows
// (node-queue.ts), running functions (node-runner.ts), bytes (message.ts).
//
// Invariants:
//   E1. Everything that can be refused is refused before the first row is written.
//   E2. The completion of a node invocation is one frame: its row goes, its emits and its ack
//       leave.
//   E3. The first outcome of an invocation stays: a result, or a failure, or that all of its node
//       invocations have ended without either. A result stays for ever. A failed invocation is
//       pending again, its failures kept, when one of its dead letters is replayed: then the next
//       outcome counts. Results that came while it was failed are dropped; the account of its
//       node invocations goes on.
//   E4. What a task remembers beside its rows (whom to tell, order of records, gates) is rebuilt
//       from them by `start`, or is asked for again by the clients.

import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { operationId } from "../runtime/operation-id.js";
import type {
  ProgramEntry,
  ProgramReport,
  TaskPort,
  TaskProgram,
  TaskProgramFactory,
  Turn,
} from "../runtime/task-program.js";
import { hashKey } from "../store/key-hash.js";
import { DeadLetters } from "./node/dead-letters.js";
import { type AgentDefinition, definitionOf } from "./declare/definition.js";
import { Completions } from "./node/completion.js";
import { FailedNodes } from "./node/failed-nodes.js";
import { Invocations } from "./home/invocations.js";
import { decodeAgentMessage, decodeRun, laneOf, type RunMessage } from "./wire/message.js";
import { messageBounds } from "./wire/message-bounds.js";
import { NodeQueue } from "./node/node-queue.js";
import { NodeRunner, type RunnerBounds, runnerBoundsDefault } from "./node/node-runner.js";
import { encodeLetterPage, type PoisonMessage } from "./wire/poison-message.js";

/** Bounds of an agent program; tests make them small. */
export interface ProgramBounds extends RunnerBounds {
  /** Records that are kept of each agent on each task, beside pending ones. */
  readonly invocationsRetainedMax: number;
  readonly deadLettersMax: number;
}

/** The factory of programs that run agents. */
export function agentProgram(bounds: Partial<ProgramBounds> = {}): TaskProgramFactory {
  return (port, entries) => {
    const { rowBytesMax } = port;
    return new AgentProgram(port, entries, { ...boundsDefault, rowBytesMax, ...bounds });
  };
}

const boundsDefault: ProgramBounds = {
  ...runnerBoundsDefault,
  invocationsRetainedMax: limits.invocationsRetainedMax,
  deadLettersMax: limits.deadLettersMax,
};

class AgentProgram implements TaskProgram {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #runner: NodeRunner;
  readonly #letters: DeadLetters;
  readonly #failedNodes: FailedNodes;
  readonly #completions: Completions;
  readonly #invocations: Invocations;

  constructor(port: TaskPort, entries: ReadonlyMap<string, ProgramEntry>, bounds: ProgramBounds) {
    this.#port = port;
    this.#agents = new Map(Array.from(entries, ([name, entry]) => [name, definitionOf(entry)]));
    this.#queue = new NodeQueue(port);
    this.#runner = new NodeRunner(port, this.#agents, this.#queue, bounds);
    this.#letters = new DeadLetters(port, bounds.deadLettersMax);
    const parts = [port, this.#agents, this.#queue, this.#runner, this.#letters] as const;
    this.#failedNodes = new FailedNodes(...parts);
    this.#completions = new Completions(port, this.#agents, this.#queue, this.#runner);
    const { invocationsRetainedMax } = bounds;
    const sizes = messageBounds(bounds.rowBytesMax);
    this.#invocations = new Invocations(port, this.#agents, sizes, invocationsRetainedMax);
  }

  get running(): number {
    return this.#runner.running;
  }

  start(): void {
    this.#invocations.start();
    this.#queue.start((arrivalNo, run) => this.#runner.enqueue(arrivalNo, run));
    this.#runner.begin();
  }

  abort(reason: unknown): void {
    this.#runner.abort(reason);
  }

  runSuspects(): Promise<void> {
    return this.#runner.runSuspects();
  }

  report(): ProgramReport {
    const { kept, dropped } = this.#letters.counts;
    return { deadLetters: kept, deadLettersDropped: dropped };
  }

  threadExited(thread: number): void {
    this.#failedNodes.threadExited(thread);
    this.#invocations.threadExited(thread);
  }

  apply(turn: Turn, bytes: Uint8Array): Uint8Array | undefined {
    const message = decodeAgentMessage(bytes);
    switch (message.kind) {
      case "initiate":
        this.#invocations.initiate(turn, message);
        return undefined;
      case "run":
        this.#accept(turn, message, bytes);
        return undefined;
      case "completed": {
        const { end } = message;
        if (end.kind === "failure") this.#failedNodes.failed(turn, message, end.error);
        else this.#completions.complete(turn, message);
        return undefined;
      }
      case "ack":
        this.#invocations.settle(turn, message, bytes);
        return undefined;
      case "collect":
        this.#invocations.collect(turn, message);
        return undefined;
      case "await":
        return this.#invocations.answer(turn, message);
      case "forget":
        for (const index of message.indexes) {
          turn.forgetOperation(operationId(message.prefix, index));
        }
        return undefined;
      case "chunks":
      case "follow":
      case "streams":
        return this.#invocations.streams.apply(turn, message);
      default:
        return this.#applyPoison(turn, message);
    }
  }

  #applyPoison(turn: Turn, message: PoisonMessage): Uint8Array | undefined {
    switch (message.kind) {
      case "mark":
        this.#failedNodes.mark(turn, message.arrivalNos);
        return undefined;
      case "bury":
        this.#failedNodes.bury(turn, message);
        return undefined;
      case "report":
        this.#invocations.report(turn, message);
        return undefined;
      case "replay":
        this.#failedNodes.replay(turn, message.letterNo, laneOf(turn).thread);
        return undefined;
      case "revive":
        this.#invocations.revive(turn, message);
        return undefined;
      case "revived":
        this.#failedNodes.revived(turn, message.letterNo);
        return undefined;
      case "discard":
        this.#failedNodes.discard(turn, message.letterNo);
        return undefined;
      case "letters":
        return encodeLetterPage(this.#letters.page(message));
    }
  }

  #accept(turn: Turn, run: RunMessage, bytes: Uint8Array): void {
    const owner = this.#ownerOf(run.key) ?? this.#port.taskId;
    const { taskId } = this.#port;
    assert(owner === taskId, () => `a key of task ${owner} reached task ${taskId}`);
    const arrivalNo = this.#queue.append(turn, bytes);
    // Bytes of another task are part of a packet, which a row that waits must not keep.
    const kept = turn.origin.kind === "task" ? decodeRun(bytes.slice()) : run;
    turn.afterCommit(() => this.#runner.enqueue(arrivalNo, kept));
  }

  #ownerOf(key: Uint8Array | undefined): number | undefined {
    return key === undefined ? undefined : this.#port.ownerOf(hashKey(key));
  }
}
