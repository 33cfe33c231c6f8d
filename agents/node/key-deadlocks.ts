// Key deadlocks — who waits in line for a key that one of its own callers holds, and so for ever.
//
// A node that holds a key and waits for an invocation waits for all of its nodes, and for those of
// the invocations that these wait for. One of them that waits for that very key is refused, so that
// the error goes up to who called.
// Owns: finding them, the error. Leaves to others: the lines (key-lines.ts), who waits for what
// (awaited-children.ts), asking other tasks (caller-chains.ts), refusing (node-runner.ts).
//
// Invariants:
//   K1. Refused is who is in line behind a row that waits for one of his callers, or for his own
//       invocation, when each caller in between waits for the next.
//   K2. A chain of callers that have all waited from the start is found at once. Where one may
//       begin to wait later, it is looked at again and again, `keyLookMsMax` apart at the most,
//       and for all rows of a task about once a millisecond: only rows whose caller holds their key
//       cost that.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { show } from "../../base/show.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { decodeDynamicKey } from "../../store/tuple-key.js";
import { decodeCarried } from "../wire/carried.js";
import { formatInvocationId, type InvocationId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { gateOf } from "./gates.js";
import type { KeyLines } from "./key-lines.js";
import type { NodeQueue } from "./node-queue.js";
import type { AwaitedChildren } from "./awaited-children.js";
import { type AskedChain, CallerChains, type WholeChain } from "./caller-chains.js";

/** What is to be known of rows, and done with them. */
export interface LinedRows {
  runIn(arrivalNo: number): RunMessage;
  /** Whether a row neither runs, nor is paused, nor is to start no more. */
  isIdle(arrivalNo: number): boolean;
  /** At once, or as soon as all rows that were left from before are there. */
  now(action: () => void): void;
  refuse(arrivalNo: number, error: PartitaError): void;
}

/** A row that is behind its own caller. */
interface Suspicion {
  readonly holder: number;
  readonly chain: AskedChain;
}

/** That a suspicion is looked at again. */
interface Watch {
  pauseMs: number;
  isAsking: boolean;
  timer: ReturnType<TaskPort["after"]> | undefined;
}

export class KeyDeadlocks {
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  readonly #keys: KeyLines;
  readonly #rows: LinedRows;
  readonly #awaited: AwaitedChildren;
  readonly #chains: CallerChains;
  readonly #watches = new Map<number, Watch>();

  constructor(
    port: TaskPort,
    queue: NodeQueue,
    keys: KeyLines,
    awaited: AwaitedChildren,
    rows: LinedRows,
  ) {
    this.#port = port;
    this.#queue = queue;
    this.#keys = keys;
    this.#awaited = awaited;
    this.#rows = rows;
    this.#chains = new CallerChains(port);
  }

  /** A row has come into line. */
  judge(arrivalNo: number): void {
    if (this.#rows.isIdle(arrivalNo)) this.#rows.now(() => this.#judge(arrivalNo));
  }

  /** A row waits for an invocation: perhaps for one that waits in line for its key. */
  judgeBehind(arrivalNo: number): void {
    // Its function may have been given up with the frame that says so.
    const run = this.#queue.peek(arrivalNo);
    if (run !== undefined) for (const behind of this.#keys.behind(run)) this.judge(behind);
  }

  #judge(arrivalNo: number): void {
    const run = this.#rows.runIn(arrivalNo);
    const suspicion = this.#suspicion(run);
    if (suspicion === undefined) {
      this.#forget(arrivalNo);
      return;
    }
    const { callers, isCut, last } = suspicion.chain;
    if (isCut || callers.some(({ waits }) => !waits)) this.#watch(arrivalNo, suspicion);
    else this.#refuse(arrivalNo, [...callers.map(({ invocationId }) => invocationId), last]);
  }

  /** What a row waits for, if it could be that of a caller of its own. */
  #suspicion(run: RunMessage): Suspicion | undefined {
    const holder = this.#keys.holder(run);
    if (holder === undefined) return undefined;
    const awaited = this.#awaited.of(holder, run);
    if (awaited.length === 0) return undefined;
    const { callers, isCut } = decodeCarried(run.carried);
    const { invocationId: last } = run;
    const ids = [...callers.map(({ invocationId }) => invocationId), last];
    const from = ids.findIndex((id) => isAmong(awaited, id));
    if (from === -1 && !isCut) return undefined;
    const asked = { last, holder: this.#rows.runIn(holder).invocationId };
    const chain = from === -1 ? { callers, isCut } : { callers: callers.slice(from), isCut: false };
    return { holder, chain: { ...chain, ...asked } };
  }

  #watch(arrivalNo: number, suspicion: Suspicion): void {
    const watch = this.#watches.get(arrivalNo) ?? { pauseMs: 1, isAsking: false, timer: undefined };
    this.#watches.set(arrivalNo, watch);
    if (watch.isAsking) return;
    watch.timer?.cancel();
    watch.isAsking = true;
    void this.#ask(arrivalNo, watch, suspicion);
  }

  async #ask(arrivalNo: number, watch: Watch, { holder, chain }: Suspicion): Promise<void> {
    // What cannot be asked now, because a task is away, is asked again.
    const whole = await this.#chains.whole(chain).catch(() => undefined);
    watch.isAsking = false;
    if (this.#watches.get(arrivalNo) !== watch) return;
    if (whole !== undefined && this.#stands(arrivalNo, holder, whole)) {
      this.#refuse(arrivalNo, whole);
      return;
    }
    watch.timer = this.#port.after(watch.pauseMs, () => this.#again(arrivalNo));
    const pauseMsMax = limits.keyLookMsMax + this.#watches.size;
    watch.pauseMs = Math.min(2 * watch.pauseMs, pauseMsMax);
  }

  #again(arrivalNo: number): void {
    if (this.#isInLine(arrivalNo)) this.#judge(arrivalNo);
    else this.#forget(arrivalNo);
  }

  #isInLine(arrivalNo: number): boolean {
    const run = this.#rows.isIdle(arrivalNo) ? this.#queue.peek(arrivalNo) : undefined;
    return run !== undefined && this.#keys.isInLine(arrivalNo, gateOf(run));
  }

  /** Whether a row is still behind the one that holds its key and waits for the chain. */
  #stands(arrivalNo: number, holder: number, [outermost]: WholeChain): boolean {
    if (!this.#isInLine(arrivalNo) || outermost === undefined) return false;
    const run = this.#rows.runIn(arrivalNo);
    return this.#keys.holder(run) === holder && isAmong(this.#awaited.of(holder, run), outermost);
  }

  #refuse(arrivalNo: number, chain: WholeChain): void {
    this.#forget(arrivalNo);
    const run = this.#rows.runIn(arrivalNo);
    const { agent, node, key = new Uint8Array() } = run;
    const holder = this.#keys.holder(run);
    const of = holder === undefined ? [] : [this.#rows.runIn(holder).invocationId];
    const cycle = shortened([...of, ...chain]);
    const details = { agent, node, key: show(decodeDynamicKey(key)), ...cycle };
    this.#rows.refuse(arrivalNo, new PartitaError("KEY_DEADLOCK", details));
  }

  #forget(arrivalNo: number): void {
    this.#watches.get(arrivalNo)?.timer?.cancel();
    this.#watches.delete(arrivalNo);
  }
}

function isAmong(ids: readonly InvocationId[], id: InvocationId): boolean {
  return ids.some((other) => Buffer.compare(other, id) === 0);
}

/** A failure has little room (wire/failure.ts): of a long cycle its two ends are shown. */
function shortened(cycle: readonly InvocationId[]): { cycle: string[]; leftOut: number } {
  const leftOut = Math.max(0, cycle.length - 2 * shownOfEnds);
  const shown =
    leftOut === 0 ? cycle : [...cycle.slice(0, shownOfEnds), ...cycle.slice(-shownOfEnds)];
  return { cycle: shown.map(formatInvocationId), leftOut };
}

/** Invocations of a long cycle that are shown at each of its ends. */
const shownOfEnds = 16;
