// Node runner — decides which node function runs when.
//
// Owns: the bound on what runs at once, and what a fence means for each row. Leaves to others: the
// queue on disk (node-queue.ts), keys (key-lines.ts), who may start (start-line.ts), who is parked
// (parked-rows.ts), what is in memory (kept-rows.ts), functions that only wait (waiting-runs.ts),
// running one (node-run.ts), what follows (execution.ts).
//
// Invariants:
//   R1. At most one invocation per (agent, node, key) runs. Its gate opens when its completion is
//       committed, and then to the one that arrived next; a reentrant one's while it rests, too.
//   R2. At most `runningNodesMax` functions run, and one suspect; those that may run start in the
//       order of arrival, a parked one when its pause is over. A pause holds no place among them.
//   R3. Of what waits, only a number is kept for certain: the row is read back when its turn comes.
//   R4. Nothing starts before `begin`. After `abort` nothing starts and nothing is submitted.
//   R5. While the port says no (a disk that is all but full), nothing starts; what is ready counts
//       as running then, so that a drain waits for it.
//   R6. A function that may have run before (in an earlier life, as an orphan, before it threw,
//       until its message was a dead letter) replays what was recorded of it then.
//   R7. In a life that follows a death, no row of an earlier life starts before a durable mark says
//       so. One that has such a mark already, or that the watchdog names, is a suspect: it waits
//       for `runSuspects`. One with `suspectDeathsMax` marks is buried unrun.
//   R8. Of a row that a stop concerns, wherever it is, nothing more is run. Its completion has no
//       effects; when it was cancelled it is submitted only when what ran of it has returned.
//   R9. A function that only waits, or looks at others, holds no place among those that run.

import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import type { Fence } from "../wire/attempt-message.js";
import type { InvocationId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { encodePoison } from "../wire/poison-message.js";
import { AwaitedChildren } from "./awaited-children.js";
import { type Fences, isStopped, stopError } from "./fences.js";
import { gateOf } from "./gates.js";
import { HeldRows } from "./held-rows.js";
import { KeyDeadlocks } from "./key-deadlocks.js";
import { KeyLines } from "./key-lines.js";
import { KeptRows } from "./kept-rows.js";
import type { NodeQueue } from "./node-queue.js";
import { NodeRun, type RunServices, runServices, type StartingRow } from "./node-run.js";
import type { OpenWaits } from "./open-waits.js";
import { Orphans } from "./orphans.js";
import { ParkedRows, parkedRow } from "./parked-rows.js";
import type { RestingNodes } from "./resting-nodes.js";
import type { RunnerBounds } from "./runner-bounds.js";
import { StartLine } from "./start-line.js";
import { WaitingRuns } from "./waiting-runs.js";

export class NodeRunner {
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  readonly #resting: RestingNodes;
  readonly waiting: WaitingRuns;
  readonly held = new HeldRows();
  readonly #fences: Fences;
  readonly #bounds: RunnerBounds;
  readonly #services: RunServices;
  readonly #ready: StartLine;
  readonly #keys: KeyLines;
  readonly awaited: AwaitedChildren;
  readonly #deadlocks: KeyDeadlocks;
  readonly #kept: KeptRows;
  /** From when it may start until its completion, or that it is parked, is committed. */
  readonly #running = new Map<number, NodeRun>();
  readonly #parked: ParkedRows;
  readonly #orphans = new Orphans();
  /** What `begin` has to do with rows that were found. */
  readonly #found: (() => void)[] = [];
  /** The port has said no, and what is ready waits for it (R5). */
  #heldBack = false;
  #phase: "recovering" | "running" | "aborted" = "recovering";

  constructor(
    port: TaskPort,
    agents: ReadonlyMap<string, AgentDefinition>,
    queue: NodeQueue,
    fences: Fences,
    resting: RestingNodes,
    open: OpenWaits,
    bounds: RunnerBounds,
    completed: RunServices["completed"],
  ) {
    this.#port = port;
    this.#queue = queue;
    this.#resting = resting;
    this.waiting = new WaitingRuns(port, resting, this.#running, bounds.awakeWaitingMax, {
      rested: (run) => this.#rested(run),
      regain: ({ row }) => this.#keys.regain(row.arrivalNo, row.gate),
      waitsForChild: (arrivalNo) => this.#deadlocks.judgeBehind(arrivalNo),
      giveUp: (run) => this.#giveUp(run),
      goOn: (arrivalNo) => this.#proceed(arrivalNo, gateOf(this.runIn(arrivalNo))),
      placeFree: () => this.#startReady(),
      lingers: (arrivalNo) => this.#ready.suspects.leave(arrivalNo),
    });
    this.#fences = fences;
    this.#bounds = bounds;
    this.#services = runServices(port, agents, fences, bounds, this.waiting, completed);
    this.#kept = new KeptRows(bounds);
    this.#parked = new ParkedRows(port);
    this.#ready = new StartLine(port, queue);
    this.#keys = new KeyLines(agents);
    this.awaited = new AwaitedChildren(open, this.#running);
    this.#deadlocks = new KeyDeadlocks(port, queue, this.#keys, this.awaited, {
      runIn: (arrivalNo) => this.runIn(arrivalNo),
      isIdle: (arrivalNo) => this.#isIdle(arrivalNo),
      now: (action) => this.#now(action),
      refuse: (no, error) => void this.#newRun(no, this.runIn(no)).refuse(error),
    });
    port.onMayStart(() => {
      this.#ready.release();
      this.#startReady();
    });
  }

  /**
   * Node invocations that will still submit their completion, or have and wait for its commit;
   * those that are parked or whose turn is yet to come are among them. Those that only wait are
   * not: humans take their time.
   */
  get running(): number {
    const waiting = this.#parked.size + this.#ready.suspects.waiting;
    const heldBack = this.#heldBack ? this.#ready.length : 0;
    return this.#running.size - this.waiting.awake + waiting + heldBack;
  }

  /** All rows that were left from before are queued: what may run starts. */
  begin(): void {
    this.#phase = "running";
    for (const found of this.#found.splice(0)) found();
    this.#startReady();
  }

  /** A row of the queue is committed: its function runs when its turn comes. Keeps `run`. */
  enqueue(arrivalNo: number, run: RunMessage): void {
    this.held.add(run.invocationId, arrivalNo);
    const rests = this.#resting.has(arrivalNo);
    if (!rests) this.#kept.keep(arrivalNo, run);
    if (this.#keys.enter(arrivalNo, run, rests)) this.#admit(arrivalNo);
    else if (!this.#isParked(arrivalNo)) this.#deadlocks.judge(arrivalNo);
    if (this.#goes(arrivalNo, run)) this.#now(() => this.stop(arrivalNo));
    else this.#startReady();
  }

  /** That a row is gone is committed: its gate opens to the next (R1). */
  completed(arrivalNo: number): void {
    if (this.#isAborted()) return;
    const running = this.#ended(arrivalNo);
    const row = running === undefined ? this.#parked.leave(arrivalNo) : parkedRow(running.row);
    assert(row !== undefined, () => `row ${arrivalNo} came to an end and never ran`);
    this.waiting.forget(arrivalNo);
    this.held.remove(row.name, arrivalNo);
    this.#ready.forget(arrivalNo);
    this.#orphans.forget(arrivalNo);
    const next = this.#keys.leave(arrivalNo, row.gate);
    if (next !== undefined) this.#admit(next);
    this.#startReady();
  }

  /** That a run of a row has failed is committed: its home task says what comes next (R1, R2). */
  parked(arrivalNo: number): void {
    const running = this.#ended(arrivalNo);
    assert(running !== undefined || this.#isAborted(), () => `row ${arrivalNo} never ran`);
    if (running === undefined) return;
    this.#park(running.row);
    this.#startReady();
  }

  /** A fence is committed: what runs of an earlier attempt is an orphan, or all of it stops. */
  fenced(id: InvocationId, fence: Fence): void {
    if (this.#isAborted()) return;
    for (const arrivalNo of this.held.of(id)) {
      if (fence.stop === undefined) this.#again(arrivalNo, fence);
      else this.stop(arrivalNo);
    }
    this.#startReady();
  }

  /** That rows of an earlier life are about to start is committed (R7). */
  marked(arrivalNos: readonly number[]): void {
    for (const arrivalNo of arrivalNos) {
      const running = this.#running.get(arrivalNo);
      // Aborted since.
      if (running === undefined) return;
      this.#ready.mark(arrivalNo);
      if (this.#goes(arrivalNo, running.row.run)) void running.stop();
      else running.start();
    }
  }

  /** Runs the suspects, one after the other; resolves when each has had its turn. */
  runSuspects(): Promise<void> {
    return this.#ready.runSuspects((arrivalNo) => this.#begin([arrivalNo]));
  }

  /** Aborts the signals of what runs, and forgets it (R4). */
  abort(reason: unknown): void {
    this.#phase = "aborted";
    for (const running of this.#running.values()) running.end(reason);
    this.#running.clear();
    this.waiting.clear();
    this.#heldBack = false;
    this.#parked.clear();
    this.#ready.close();
  }

  /** The function of a row that only waits is given up until there is something to go on with. */
  #giveUp({ row }: NodeRun): void {
    const { arrivalNo } = row;
    this.#running.delete(arrivalNo);
    this.#orphans.hasRun(arrivalNo);
  }

  /** A row that was parked may run, as soon as it has its key. */
  #proceed(arrivalNo: number, gate: string | undefined): void {
    if (this.#keys.regain(arrivalNo, gate)) this.#line(arrivalNo);
    else if (this.#keys.isInLine(arrivalNo, gate)) this.#deadlocks.judge(arrivalNo);
    this.#startReady();
  }

  /** A row only waits, on record. */
  #rested({ row }: NodeRun): void {
    this.#ready.suspects.leave(row.arrivalNo);
    const next = this.#keys.rest(row.arrivalNo, row.run);
    if (next !== undefined) this.#admit(next);
  }

  #isIdle(arrivalNo: number): boolean {
    const isUnderWay = this.#running.has(arrivalNo) || this.#parked.has(arrivalNo);
    return !isUnderWay && !this.#isAborted();
  }

  /** At once; of rows that are found, when `begin` is called. */
  #now(action: () => void): void {
    if (this.#phase === "recovering") this.#found.push(action);
    else action();
  }

  /** The `run` message of a row. */
  runIn(arrivalNo: number): RunMessage {
    return this.#running.get(arrivalNo)?.row.run ?? this.#queue.read(arrivalNo);
  }

  /** The run of a row is over; a function that has not returned is an orphan. */
  #ended(arrivalNo: number): NodeRun | undefined {
    const running = this.#running.get(arrivalNo);
    this.#running.delete(arrivalNo);
    this.waiting.leave(arrivalNo);
    this.#ready.suspects.leave(arrivalNo);
    if (running?.ended !== undefined) this.#orphans.add(arrivalNo, running.ended);
    return running;
  }

  /** A new attempt began: a row whose run is of an earlier one, or has failed in it, runs again. */
  #again(arrivalNo: number, fence: Fence): void {
    const running = this.#running.get(arrivalNo);
    if (running !== undefined) {
      if (!running.hasStarted || running.attempt >= fence.attempt) return;
      this.#retire(running);
      this.#park(running.row);
    } else if (this.waiting.rise(arrivalNo)) this.#parkFound(arrivalNo, this.runIn(arrivalNo));
    else if (!this.#parked.has(arrivalNo)) return;
    // One that has failed in this very attempt waits for the next word.
    if ((this.#queue.stateOf(arrivalNo).parkedAttempt ?? -1) >= fence.attempt) return;
    this.#resume(arrivalNo, fence);
  }

  #park(row: StartingRow): void {
    this.#kept.keep(row.arrivalNo, row.run);
    this.#parked.park(row.arrivalNo, parkedRow(row));
  }

  #parkFound(arrivalNo: number, run: RunMessage): void {
    this.#parked.park(arrivalNo, parkedRow({ run, gate: gateOf(run) }));
  }

  #resume(arrivalNo: number, { dueMs }: Fence): void {
    this.#parked.resume(arrivalNo, dueMs, ({ gate }) => this.#proceed(arrivalNo, gate));
  }

  /** See R8. */
  stop(arrivalNo: number): void {
    if (this.#isAborted()) return;
    const running = this.#running.get(arrivalNo);
    const run = running?.row.run ?? this.#kept.take(arrivalNo) ?? this.#queue.read(arrivalNo);
    if (!this.#goes(arrivalNo, run)) return;
    // One whose mark is on its way is stopped when it would start.
    if (running !== undefined && (!running.hasStarted || running.hasSubmitted)) return;
    const isAwaited = this.#fences.of(run.invocationId)?.stop === "cancelled";
    const orphans = isAwaited ? this.#orphans.returned(arrivalNo) : undefined;
    if (running !== undefined && isAwaited) {
      running.halt(stopError(run), false, orphans);
      return;
    }
    if (running === undefined) this.#takeOut(arrivalNo, run);
    else this.#retire(running);
    void this.#newRun(arrivalNo, run).stop(orphans);
  }

  /** Whether a row goes, whatever it comes to: a stop concerns it, or home has dropped it. */
  #goes(arrivalNo: number, run: RunMessage): boolean {
    const { dropped } = this.#queue.stateOf(arrivalNo);
    return dropped || isStopped(run, this.#fences.of(run.invocationId));
  }

  /** A row that does not run leaves the place where it waits; its gate it keeps. */
  #takeOut(arrivalNo: number, run: RunMessage): void {
    const wasAsleep = this.waiting.rise(arrivalNo);
    const wasParked = this.#parked.leave(arrivalNo) !== undefined || wasAsleep;
    if (this.#keys.holds(arrivalNo, gateOf(run)) && !wasParked) this.#ready.remove(arrivalNo);
  }

  /** What runs is an orphan from now on. */
  #retire(running: NodeRun): void {
    const { arrivalNo } = running.row;
    running.retire();
    this.#ended(arrivalNo);
    this.#orphans.hasRun(arrivalNo);
  }

  /** A row is plain, or has got its gate. */
  #admit(arrivalNo: number): void {
    // It is being stopped or refused, and leaves the gate as soon as that is committed; or it has
    // its key again, and goes on.
    if (this.#running.has(arrivalNo)) this.waiting.regained(arrivalNo);
    else if (!this.#isAsleep(arrivalNo) && !this.#isParked(arrivalNo)) this.#line(arrivalNo);
  }

  /** Whether a row of an earlier life rests: its function is run when that is over. */
  #isAsleep(arrivalNo: number): boolean {
    if (!this.#resting.has(arrivalNo)) return false;
    this.#kept.take(arrivalNo);
    this.waiting.sleep(arrivalNo);
    return true;
  }

  /** Whether an earlier life has parked a row, which is parked again if so. */
  #isParked(arrivalNo: number): boolean {
    const { parkedAttempt } = this.#queue.stateOf(arrivalNo);
    if (parkedAttempt === undefined) return false;
    const run = this.#queue.read(arrivalNo);
    const fence = this.#fences.of(run.invocationId);
    const isDecided = fence !== undefined && fence.attempt > parkedAttempt;
    if (isDecided && fence.dueMs <= this.#port.now()) return false;
    this.#parkFound(arrivalNo, run);
    if (isDecided) this.#resume(arrivalNo, fence);
    return true;
  }

  /** A row may run as soon as there is room, or as a suspect. */
  #line(arrivalNo: number): void {
    if (this.#ready.add(arrivalNo)) void this.runSuspects();
  }

  #startReady(): void {
    const starting: number[] = [];
    while (
      this.#phase === "running" &&
      this.#running.size - this.waiting.placeless + starting.length < this.#bounds.runningNodesMax
    ) {
      this.#heldBack = this.#ready.length > 0 && !this.#port.mayStart();
      if (this.#heldBack) break;
      const arrivalNo = this.#ready.shift();
      if (arrivalNo === undefined) break;
      starting.push(arrivalNo);
    }
    this.#begin(starting);
  }

  /** Starts rows, those that need one behind a mark (R7): one frame for all of them. */
  #begin(arrivalNos: readonly number[]): void {
    const unmarked: number[] = [];
    for (const arrivalNo of arrivalNos) {
      const run = this.#kept.take(arrivalNo) ?? this.#queue.read(arrivalNo);
      const { deaths } = this.#queue.stateOf(arrivalNo);
      const running = this.#newRun(arrivalNo, run);
      if (!this.#ready.needsMark(arrivalNo)) running.start();
      else if (deaths < limits.suspectDeathsMax) unmarked.push(arrivalNo);
      else void running.bury();
    }
    if (unmarked.length === 0) return;
    this.#port.submit(encodePoison({ kind: "mark", arrivalNos: unmarked }));
  }

  #newRun(arrivalNo: number, run: RunMessage): NodeRun {
    const { attempts, replayed } = this.#queue.stateOf(arrivalNo);
    const hasRun = attempts > 0 || this.#orphans.has(arrivalNo);
    const rerun = hasRun || replayed || this.#queue.isRecovered(arrivalNo);
    const begun = new NodeRun({ arrivalNo, run, gate: gateOf(run), rerun }, this.#services);
    this.#running.set(arrivalNo, begun);
    return begun;
  }

  /** Asked again each time: a field that was compared once would count as known. */
  #isAborted(): boolean {
    return this.#phase === "aborted";
  }
}
