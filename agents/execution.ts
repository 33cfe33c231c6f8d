// Execution — what a task does with the messages of agents: it begins, runs, accounts, and ends.
//
// An invocation in five messages. `initiate` writes its record at home and sends `run` for the
// entry node; `run` puts a row into the queue of the task that is to run the node; when the
// function has returned, its task removes the row, sends a `run` for each emit and an `ack` home,
// all in one frame; `ack` settles the account of the record and ends it; `await` asks how
// it stands.
// Owns: who takes which message. Leaves to others: records and whom to tell (home/invocations.ts),
// node invocations that finish (node/completion.ts) and that fail (node/failed-nodes.ts), what
// follows from failures (home/attempts.ts), rows (node-queue.ts), running functions
// (node-runner.ts), bytes (message.ts).
//
// Invariants:
//   E1. Everything that can be refused is refused before the first row is written.
//   E2. The completion of a node invocation is one frame: its row goes, its emits and its ack
//       leave.
//   E3. The first outcome of an invocation stays: a result, a failure, that it was cancelled, or
//       that all of its node invocations have ended without any. A failed invocation is pending
//       again, its failures kept, when one of its dead letters is replayed: then the next outcome
//       counts. Results that came while it was failed are dropped; the account of its node
//       invocations goes on, whatever the outcome.
//   E4. What a task remembers beside its rows (whom to tell, order of records, gates) is rebuilt
//       from them by `start`, or is asked for again by the clients.

import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
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
import { FailedNodes, sendUnfinished } from "./node/failed-nodes.js";
import { DoneNodes, forgetHere } from "./node/done-nodes.js";
import { attemptOf, Fences, isStopped } from "./node/fences.js";
import { Attempts } from "./home/attempts.js";
import { GraphVersions } from "./home/graph-versions.js";
import { type StallBounds, Stalls, stallBoundsDefault } from "./home/stalls.js";
import { Probes } from "./node/probes.js";
import { Updates } from "./home/updates.js";
import { recordBytesOf } from "./wire/ack.js";
import { Records } from "./home/records.js";
import { applyMetadata } from "./home/metadata.js";
import { Desk } from "./home/desk.js";
import { keepFailedRun, tracePage } from "./home/traces.js";
import { Forks } from "./home/forks.js";
import { Invocations } from "./home/invocations.js";
import { decodeAgentMessage, decodeRun, laneOf, type RunMessage } from "./wire/message.js";
import { messageBounds } from "./wire/message-bounds.js";
import type { CompletedRun } from "./node/node-effects.js";
import { NodeQueue } from "./node/node-queue.js";
import { OpenWaits } from "./node/open-waits.js";
import { RestingNodes } from "./node/resting-nodes.js";
import { AskedAgain } from "./node/asked-again.js";
import { Waits } from "./node/waits.js";
import { NodeRunner } from "./node/node-runner.js";
import { type RunnerBounds, runnerBoundsDefault } from "./node/runner-bounds.js";
import type { WaitsForMessage } from "./wire/chain-message.js";
import type { AttemptMessage } from "./wire/attempt-message.js";
import type { StallMessage } from "./wire/stall-message.js";
import type { QuestionMessage } from "./wire/question-message.js";
import type { TaskWaitMessage } from "./wire/wait-message.js";
import { encodeLetterPage, type PoisonMessage } from "./wire/poison-message.js";

/** Bounds of an agent program; tests make them small. */
export interface ProgramBounds extends RunnerBounds, StallBounds {
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
  ...stallBoundsDefault,
  invocationsRetainedMax: limits.invocationsRetainedMax,
  deadLettersMax: limits.deadLettersMax,
};

type WaitingMessage = TaskWaitMessage | QuestionMessage | PoisonMessage;
type OtherMessage = AttemptMessage | StallMessage | WaitsForMessage | WaitingMessage;

class AgentProgram implements TaskProgram {
  readonly #port: TaskPort;
  readonly #agents: ReadonlyMap<string, AgentDefinition>;
  readonly #queue: NodeQueue;
  readonly #fences: Fences;
  readonly #resting: RestingNodes;
  readonly #runner: NodeRunner;
  readonly #waits: Waits;
  readonly #askedAgain: AskedAgain;
  readonly #letters: DeadLetters;
  readonly #failedNodes: FailedNodes;
  readonly #completions: Completions;
  readonly #records: Records;
  readonly #updates: Updates;
  readonly #stalls: Stalls;
  readonly #probes: Probes;
  readonly #attempts: Attempts;
  readonly #invocations: Invocations;
  readonly #desk: Desk;
  readonly #forks: Forks;

  constructor(port: TaskPort, entries: ReadonlyMap<string, ProgramEntry>, bounds: ProgramBounds) {
    this.#port = port;
    this.#agents = new Map(Array.from(entries, ([name, entry]) => [name, definitionOf(entry)]));
    this.#queue = new NodeQueue(port);
    this.#fences = new Fences(port);
    const open = new OpenWaits(port);
    this.#resting = new RestingNodes(this.#queue, open);
    const lines = [this.#queue, this.#fences, this.#resting, open] as const;
    this.#runner = new NodeRunner(port, this.#agents, ...lines, bounds, (turn, run) => {
      this.#ended(turn, run);
    });
    const { waiting } = this.#runner;
    this.#waits = new Waits(port, this.#queue, this.#fences, waiting, this.#resting, open);
    this.#askedAgain = new AskedAgain(port, this.#queue, this.#fences);
    this.#letters = new DeadLetters(port, bounds.deadLettersMax);
    const rows = [this.#queue, this.#fences, this.#waits, this.#runner] as const;
    const done = new DoneNodes(port);
    this.#failedNodes = new FailedNodes(port, this.#agents, ...rows, this.#letters, done);
    const ends = [this.#queue, this.#waits, this.#runner, done] as const;
    this.#completions = new Completions(port, this.#agents, ...ends, (turn, ack, kept) => {
      this.#invocations.settle(turn, ack, kept);
    });
    const sizes = messageBounds(bounds.rowBytesMax);
    const agentOf = (name: string) => this.#agents.get(name);
    this.#records = new Records(port, sizes.messageBytesMax, {
      retainedMax: (name) => agentOf(name)?.maxInvocationsPerTask ?? bounds.invocationsRetainedMax,
      stallThresholdMs: (name) => agentOf(name)?.stallThresholdMs ?? limits.stallThresholdMs,
    });
    this.#updates = new Updates(port, this.#agents, new GraphVersions(port, this.#agents));
    this.#stalls = new Stalls(port, this.#records, bounds);
    this.#probes = new Probes(port, this.#queue, this.#runner);
    const follows = [this.#records, this.#updates, this.#stalls] as const;
    this.#attempts = new Attempts(port, this.#agents, ...follows);
    const home = [sizes, this.#records, this.#attempts] as const;
    this.#invocations = new Invocations(port, this.#agents, ...home);
    this.#desk = new Desk(this.#records, this.#invocations, this.#attempts);
    this.#forks = new Forks(port, ...home, this.#invocations);
  }

  get running(): number {
    return this.#runner.running;
  }

  start(): void {
    this.#updates.start((found) =>
      this.#records.start((id, record) => {
        found(id, record);
        this.#forks.found(id, record);
      }),
    );
    this.#fences.start();
    this.#resting.start(this.#runner.waiting);
    this.#waits.start();
    this.#queue.start((arrivalNo, run) => this.#runner.enqueue(arrivalNo, run));
    this.#runner.begin();
    this.#askedAgain.start();
    this.#stalls.start();
  }

  abort(reason: unknown): void {
    this.#waits.close();
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
    this.#records.threadExited(thread);
    this.#attempts.threadExited(thread);
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
      case "ack":
        this.#invocations.settle(turn, message, recordBytesOf(bytes));
        return undefined;
      case "collect":
        this.#invocations.collect(turn);
        return undefined;
      case "await":
        return this.#invocations.answer(turn, message);
      case "forget":
        for (const done of message.done) forgetHere(turn, done);
        return undefined;
      case "chunks":
      case "follow":
      case "streams":
        return this.#records.streams.apply(turn, message);
      case "metadata":
        return applyMetadata(turn, message);
      case "trace":
        return tracePage(turn, message);
      case "fork":
      case "forkStep":
      case "kin":
        return this.#forks.apply(turn, message);
      default:
        return this.#applyAttempt(turn, message);
    }
  }

  #applyAttempt(turn: Turn, message: OtherMessage): Uint8Array | undefined {
    switch (message.kind) {
      case "failed":
        keepFailedRun(turn, message);
        this.#attempts.failed(turn, message);
        return undefined;
      case "fence": {
        const { invocationId } = message;
        const fence = this.#fences.put(turn, message);
        if (fence === undefined) return undefined;
        const rows = this.#runner.held.of(invocationId);
        for (const row of rows) this.#resting.drop(turn, row);
        if (fence.stop === "cancelled") this.#failedNodes.cancelled(turn, rows);
        turn.afterCommit(() => this.#runner.fenced(invocationId, fence));
        return undefined;
      }
      case "lift":
        this.#failedNodes.lift(turn, message);
        this.#fences.lift(turn, message.invocationId);
        return undefined;
      case "giveUp":
        this.#failedNodes.giveUp(turn, message);
        return undefined;
      case "drop":
        this.#failedNodes.drop(turn, message);
        return undefined;
      case "cancel":
        return this.#attempts.cancel(turn, message);
      case "update":
        this.#attempts.update(turn);
        return undefined;
      case "look":
        for (const off of this.#stalls.look(turn, message.ids)) {
          this.#invocations.balance(turn, off);
        }
        return undefined;
      case "probe":
        this.#probes.probe(turn, message);
        return undefined;
      case "gone":
        this.#probes.gone(turn, message);
        return undefined;
      case "waitsFor":
        return this.#probes.waitsFor(message);
      case "missing":
        this.#attempts.missing(turn, message);
        return undefined;
      default:
        return this.#applyWait(turn, message);
    }
  }

  #applyWait(turn: Turn, message: WaitingMessage): Uint8Array | undefined {
    switch (message.kind) {
      case "wait":
      case "settle":
      case "due":
      case "rest":
      case "deliver":
      case "outcome":
      case "childAsked":
      case "childClosed":
        this.#waits.apply(turn, message);
        return undefined;
      case "childStopped":
        this.#failedNodes.childStopped(turn, message);
        return undefined;
      case "repeat":
        this.#askedAgain.repeat(turn, message);
        return undefined;
      case "asked":
      case "closed":
      case "withdrawn":
      case "answer":
      case "answered":
      case "attach":
      case "begin":
      case "step":
      case "questions":
        return this.#desk.apply(turn, message);
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
      case "replay":
        this.#failedNodes.replay(turn, message.letterNo, laneOf(turn).thread);
        return undefined;
      case "revive":
        this.#invocations.revive(turn, message);
        return undefined;
      case "revived":
        this.#failedNodes.revived(turn, message);
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
    if (isStopped(run, this.#fences.seen(turn, run.invocationId))) {
      sendUnfinished(turn, this.#port, run);
      return;
    }
    const arrivalNo = this.#queue.append(turn, bytes);
    // Bytes of another task are part of a packet, which a row that waits must not keep.
    const kept = turn.origin.kind === "task" ? decodeRun(bytes.slice()) : run;
    turn.afterCommit(() => this.#runner.enqueue(arrivalNo, kept));
  }

  /** A run of a row is over. */
  #ended(turn: Turn, message: CompletedRun): void {
    const { arrivalNo, attempt, end, recorded } = message;
    const run = this.#runner.runIn(arrivalNo);
    const fence = this.#fences.seen(turn, run.invocationId);
    // An orphan's: another run has taken its place.
    if (attempt < attemptOf(run, fence)) return;
    const goes = this.#failedNodes.isDropped(turn, arrivalNo) || isStopped(run, fence);
    if (goes) this.#failedNodes.stopped(turn, run, arrivalNo, recorded);
    else if (end.kind === "failure") this.#failedNodes.failed(turn, run, { ...message, ...end });
    else this.#completions.complete(turn, run, message);
  }

  #ownerOf(key: Uint8Array | undefined): number | undefined {
    return key === undefined ? undefined : this.#port.ownerOf(hashKey(key));
  }
}
