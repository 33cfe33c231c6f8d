// Program harness — runs a TaskProgram on several tasks without a runtime, in a seeded order.
//
// It keeps the contract of runtime/task-program.ts in the simplest way: rows in maps, messages in
// queues, one event at a time; a seeded generator chooses which queue is served next. A crash drops
// what is volatile (mailbox, the program, its running functions) and keeps rows, marks and
// unacknowledged messages. The clock moves when nothing else is left to do (program-clock.ts).
//
// Invariants: G1 to G4 of runtime/task-program.ts, by construction:
//   - a batch's rows, sends, replies, notices and actions take effect together or not at all;
//   - a stream between two tasks is applied once, in order: its mark moves with the batch.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type {
  MessageOrigin,
  NeighbourCall,
  ObjectEntry,
  ProgramClientPort,
  ProgramEntry,
  TaskPort,
  TaskProgram,
  TaskProgramFactory,
} from "../../runtime/task-program.js";
import { Neighbours } from "../../runtime/neighbours.js";
import { applyOnce, HarnessBatch, HarnessTurns } from "./program-batch.js";
import { HarnessClock } from "./program-clock.js";
import { harnessNames } from "./program-names.js";
import { HarnessLife, harnessPort } from "./program-port.js";
import { recalled } from "./program-records.js";
import { CommittedRows } from "./program-rows.js";
import type { HarnessTask } from "./program-task.js";
import type { StoreContent } from "./program-store.js";
import {
  HarnessThread,
  queueIn,
  type Received,
  received,
  submitted,
  type Stream,
  stampedRequest,
} from "./program-thread.js";
import { seededRandom } from "../../testing/seeded-random.js";

/** What a harness runs. */
export interface HarnessSettings {
  readonly agents: Readonly<Record<string, ProgramEntry>>;
  /** By the topology's name: the declaration that agents refer to, and what it holds. */
  readonly stores?: Readonly<
    Record<string, { readonly declared: object; readonly content: StoreContent }>
  >;
  readonly compute?: Readonly<Record<string, (...args: never[]) => unknown>>;
  readonly objects?: Readonly<Record<string, ObjectEntry>>;
  readonly topology?: string;
  readonly neighbour?: NeighbourCall;
  /** Default 3. */
  readonly tasks?: number;
  /** Which interleaving. Default 1. */
  readonly seed?: number;
  /** Default: the program of the first agent. */
  readonly program?: TaskProgramFactory;
  /** What each task finds when it starts. Default: nothing. */
  readonly rows?: readonly CommittedRows[];
  readonly isWeak?: boolean;
  /** The largest row that a task takes. Default: `limits.valueBytesMax`. */
  readonly rowBytesMax?: number;
}

export class ProgramHarness {
  readonly taskCount: number;
  /** What tasks and clients see. */
  readonly clock = new HarnessClock();
  readonly entries: ReadonlyMap<string, ProgramEntry>;
  readonly #settings: HarnessSettings;
  readonly #random: () => number;
  readonly #rowBytesMax: number;
  readonly #tasks: HarnessTask[] = [];
  readonly #threads: HarnessThread[] = [];
  /** What answers travel on, and store operations: a queue for each pair that stays in order. */
  readonly #actions = new Map<string, (() => void)[]>();
  /** Resolves when every task that was started again has run its suspects. */
  suspectsRun: Promise<void> = Promise.resolve();

  constructor(settings: HarnessSettings) {
    this.#settings = settings;
    this.taskCount = settings.tasks ?? 3;
    this.#rowBytesMax = settings.rowBytesMax ?? limits.valueBytesMax;
    this.#random = seededRandom(settings.seed ?? 1);
    this.entries = new Map(Object.entries(settings.agents));
    const names = harnessNames(settings);
    for (const [name, entry] of this.entries) {
      const problems = entry.problems(`agents.${name}`, names);
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
    }
    for (let id = 0; id < this.taskCount; id += 1) this.#tasks.push(this.#newTask(id));
    for (const task of this.#tasks) task.program.start();
  }

  ownerOf(keyHash: number): number {
    return Math.floor((keyHash / 2 ** 32) * this.taskCount);
  }

  /** A new thread of clients. */
  clientPort(): ProgramClientPort & { readonly thread: number } {
    const thread = this.#newThread();
    return {
      thread: thread.thread,
      taskCount: this.taskCount,
      ownerOf: (keyHash) => this.ownerOf(keyHash),
      now: () => this.clock.nowMs,
      random: this.#random,
      assertWritable: () => {},
      request: (task, message, id) => thread.request(task, message, id),
      reopened: async () => {},
      onNotice: (listener) => {
        thread.notice = listener;
      },
      onLost: (listener) => {
        thread.lost = listener;
      },
    };
  }

  /** Whether a task has applied messages and not made durable what follows from them. */
  hasBatchInHand(task: number): boolean {
    return this.#task(task).inHand !== undefined;
  }

  program(task: number): TaskProgram {
    return this.#task(task).program;
  }

  /** Committed rows of a table over all tasks. */
  rowCount(table: number): number {
    return this.#tasks.reduce((sum, { rows }) => sum + rows.count(table), 0);
  }

  rows(task: number): CommittedRows {
    return this.#task(task).rows;
  }

  /** Serves one queue; false when all are empty. Runs what follows at once. */
  async stepNow(): Promise<boolean> {
    await settled();
    const choices = this.#choices();
    const choice = choices[Math.floor(this.#random() * choices.length)];
    if (choice === undefined) return false;
    choice();
    await settled();
    return true;
  }

  /** The same, or lets the next timer happen; false when nothing is left to do. */
  async step(): Promise<boolean> {
    if (await this.stepNow()) return true;
    const hasAdvanced = this.clock.advance();
    await settled();
    return hasAdvanced;
  }

  /** Serves queues, and lets timers happen, until nothing is left to do. */
  async run(): Promise<void> {
    while (await this.step());
  }

  /** Serves queues until all are empty; the clock stands still. */
  async runNow(): Promise<void> {
    while (await this.stepNow());
  }

  /** Serves queues until `promise` is settled, and returns or throws what it holds. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const noted = promise.then(
      () => {
        isSettled = true;
      },
      () => {
        isSettled = true;
      },
    );
    while (!isSettled && (await this.step()));
    await settled();
    if (!isSettled) throw new Error("nothing is left to do, and the promise is still pending");
    await noted;
    return promise;
  }

  /** Ends a task without warning and starts it again from its rows. */
  crash(id: number): void {
    const task = this.#task(id);
    task.life.end();
    task.mailbox = [];
    task.inHand = undefined;
    for (const key of [...this.#actions.keys()]) {
      if (key.startsWith(`task ${id} `)) this.#actions.delete(key);
    }
    const error = new PartitaError("TASK_EXITED", { taskIds: [id], threadId: 1, reason: "a test" });
    for (const thread of this.#threads) thread.lose(id, error);
    // Both directions start again from what the destination has made durable.
    for (const source of this.#tasks) {
      for (const [destination, stream] of source.streams) {
        if (source === task || destination === id) this.#resend(source, destination, stream);
      }
    }
    task.life = new HarnessLife();
    task.thread = this.#newThread();
    task.boots += 1;
    task.program = this.#newProgram(task);
    task.program.start();
    const { life, program } = task;
    // One task after the other, as clusters do it.
    this.suspectsRun = this.suspectsRun.then(() =>
      Promise.race([life.alive ? program.runSuspects() : undefined, life.ended]),
    );
  }

  #resend(source: HarnessTask, destination: number, stream: Stream): void {
    const applied = this.#task(destination).marks.get(source.id) ?? 0;
    stream.unacknowledged = stream.unacknowledged.slice(applied - stream.acknowledged);
    stream.acknowledged = applied;
    stream.sent = applied;
  }

  #newThread(): HarnessThread {
    const thread = new HarnessThread(this.#threads.length);
    this.#threads.push(thread);
    return thread;
  }

  #task(id: number): HarnessTask {
    const task = this.#tasks[id];
    if (task === undefined) throw new Error(`there is no task ${id}`);
    return task;
  }

  #newTask(id: number): HarnessTask {
    const seed: Omit<HarnessTask, "program"> = {
      id,
      rows: this.#settings.rows?.[id] ?? new CommittedRows(),
      marks: new Map(),
      streams: new Map(),
      mailbox: [],
      inHand: undefined,
      boots: 1,
      life: new HarnessLife(),
      thread: this.#newThread(),
    };
    return Object.assign(seed, { program: this.#newProgram(seed) });
  }

  #newProgram(task: Omit<HarnessTask, "program">): TaskProgram {
    const factory = this.#settings.program ?? [...this.entries.values()][0]?.program;
    if (factory === undefined) throw new Error("a harness needs an agent");
    return factory(this.#taskPort(task), this.entries);
  }

  #taskPort(task: Omit<HarnessTask, "program">): TaskPort {
    const { id, rows, life, boots } = task;
    const { stores = {}, compute = {}, objects = {}, isWeak = false } = this.#settings;
    return harnessPort({
      topology: this.#settings.topology ?? "",
      id,
      taskCount: this.taskCount,
      boots,
      isWeak,
      life,
      rows,
      clock: this.clock,
      random: this.#random,
      stores,
      compute,
      objects,
      neighbour: this.#settings.neighbour ?? new Neighbours().callOf(this.clock),
      ownerOf: (keyHash) => this.ownerOf(keyHash),
      submit: (message) => void this.#task(id).mailbox.push(submitted(message)),
      applied: (message, stamp) => {
        return stampedRequest(message, stamp, (request) => {
          if (life.alive) this.#task(id).mailbox.push(request);
        });
      },
      recall: (from, prefix) => recalled(from, this.#task(from).rows, prefix),
      clients: () => life.clientsFrom(() => this.clientPort()),
      enqueue: (action) => this.#enqueue(`task ${id} store`, action),
      request: (to, message) => task.thread.request(to, message),
    });
  }

  #enqueue(queue: string, action: () => void): void {
    queueIn(this.#actions, queue).push(action);
  }

  /** What could happen next: one choice for each queue that is not empty. */
  #choices(): (() => void)[] {
    const choices: (() => void)[] = [];
    for (const queue of this.#actions.values()) {
      if (queue.length > 0) choices.push(() => queue.shift()?.());
    }
    for (const thread of this.#threads) {
      for (const [task, queue] of thread.requests) {
        if (queue.length === 0) continue;
        choices.push(() => this.#task(task).mailbox.push(...queue.splice(0, 1)));
      }
    }
    for (const task of this.#tasks) {
      const { inHand } = task;
      if (inHand !== undefined) choices.push(() => this.#commit(task, inHand));
      else if (task.mailbox.length > 0) choices.push(() => this.#batch(task));
      for (const [destination, stream] of task.streams) {
        const message = stream.unacknowledged[stream.sent - stream.acknowledged];
        if (message === undefined) continue;
        choices.push(() => {
          stream.sent += 1;
          const origin: MessageOrigin = { kind: "task", task: task.id };
          this.#task(destination).mailbox.push(received(origin, message.slice(), stream.sent));
        });
      }
    }
    return choices;
  }

  /** Applies some of what has arrived as one batch, which is then in hand. */
  #batch(task: HarnessTask): void {
    const count = 1 + Math.floor(this.#random() * task.mailbox.length);
    const batch = new HarnessBatch(task.rows, this.#rowBytesMax);
    for (const message of task.mailbox.splice(0, count)) {
      if (message.origin.kind === "task") {
        const source = message.origin.task;
        const mark = batch.marks.get(source) ?? task.marks.get(source) ?? 0;
        // Sent again after a crash, and known already.
        if (message.sequence <= mark) continue;
        if (message.sequence > mark + 1) throw new Error(`task ${task.id} missed a message`);
        batch.marks.set(source, message.sequence);
      }
      this.#apply(task, batch, message);
    }
    for (const work of batch.lastly) this.#apply(task, batch, submitted(work));
    task.inHand = batch;
  }

  /** Makes a batch durable and reveals what it did. */
  #commit(task: HarnessTask, batch: HarnessBatch): void {
    task.inHand = undefined;
    task.rows.commit(batch.rows);
    for (const [source, mark] of batch.marks) this.#commitMark(task, source, mark);
    for (const { destination, message } of batch.sends) {
      const stream = task.streams.get(destination) ?? {
        unacknowledged: [],
        acknowledged: 0,
        sent: 0,
      };
      task.streams.set(destination, stream);
      stream.unacknowledged.push(message);
    }
    for (const reveal of batch.reveals) reveal();
    for (const action of batch.actions) action();
  }

  #commitMark(task: HarnessTask, source: number, mark: number): void {
    task.marks.set(source, mark);
    const stream = this.#task(source).streams.get(task.id);
    if (stream === undefined) throw new Error(`task ${source} never sent to task ${task.id}`);
    stream.unacknowledged = stream.unacknowledged.slice(mark - stream.acknowledged);
    stream.acknowledged = mark;
    stream.sent = Math.max(stream.sent, mark);
  }

  /** One message, and what it sends to the task itself, as one step that happens or does not. */
  #apply(task: HarnessTask, batch: HarnessBatch, first: Received): void {
    const mark = batch.mark();
    const { origin } = first;
    const reveal = (thread: number, action: () => void): void => {
      batch.reveals.push(() => this.#enqueue(`task ${task.id} to thread ${thread}`, action));
    };
    const turns = new HarnessTurns(task.id, batch, (thread, notice) => {
      reveal(thread, () => this.#threads[thread]?.notice(task.id, notice));
    });
    try {
      const reply = applyOnce(task.program, batch, turns, first);
      turns.end(true);
      if (origin.kind !== "lane") return;
      reveal(origin.thread, () => this.#answered(origin.thread, task.id, first).resolve(reply));
    } catch (error) {
      turns.end(false);
      if (!PartitaError.is(error) || origin.kind !== "lane") throw error;
      batch.rollback(mark);
      reveal(origin.thread, () => this.#answered(origin.thread, task.id, first).reject(error));
    }
  }

  #answered(thread: number, task: number, request: Received): Received {
    this.#threads[thread]?.answered(task, request);
    return request;
  }
}

/** Resolves when no microtask is left to run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
