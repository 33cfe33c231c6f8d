// Simulated world — time, chance and order of a simulation: one step after the other.
//
// A step takes the oldest event of one line, chosen by the seed, and runs it; then every promise
// that it has settled is followed to its end before the next step. When no line has an event the
// clock jumps to the next timer. So a run is a function of the seed and of what the user's code
// does.
// Owns: the lines, the clock, the pump. Leaves to others: what events mean, and who is alive.
//
// Invariants:
//   1. Events of one line run in the order they came; between lines any order can be.
//   2. Microtasks are drained between steps; no step runs inside another.
//   3. Nothing real is asked: no clock, no chance, no I/O.

import type { Timer } from "../runtime/system.js";
import { seededRandom } from "./seeded-random.js";
import { TimerQueue } from "./timer-queue.js";
import { TraceHash } from "./trace-hash.js";

/** Steps after which the real event loop gets a turn, for signals and for others' promises. */
const stepsPerTurn = 2_048;
/** How often a line that stalls is passed over before it is taken all the same. */
const passesMax = 4;
/** How many of the lines are slow. */
const slowLines = 0.15;
/** At most so much time goes by with a step. */
const stepMsMax = 0.1;

/** Its reactions are microtasks, cheaper than those of `queueMicrotask`. */
export const settled: Promise<void> = Promise.resolve();

/** Events that happen one after the other. */
export class Line {
  readonly name: string;
  readonly code: number;
  events: (() => void)[] = [];
  head = 0;
  /** Whether the world has it among the lines that can go on. */
  listed = false;
  /** Passed over until so many steps were made. */
  stalledUntil = 0;
  /** Passed over most of the time. */
  readonly isSlow: boolean;

  constructor(name: string, code: number, isSlow: boolean) {
    this.name = name;
    this.code = code;
    this.isSlow = isSlow;
  }

  get length(): number {
    return this.events.length - this.head;
  }

  /** Drops everything but the first `count` events. */
  keep(count: number): void {
    this.events.length = Math.min(this.events.length, this.head + count);
  }

  shift(): (() => void) | undefined {
    const event = this.events[this.head];
    this.head += 1;
    if (this.head >= this.events.length) {
      this.events = [];
      this.head = 0;
    }
    return event;
  }
}

export interface WorldOptions {
  readonly seed: number;
  /** Lines that stall now and then, so that one thread runs far ahead of another. */
  readonly stalls: boolean;
  /** Told what happens, in words; for people. */
  readonly trace?: ((line: string) => void) | undefined;
}

export class World {
  readonly random: () => number;
  readonly hash = new TraceHash();
  steps = 0;
  readonly #options: WorldOptions;
  readonly #timers = new TimerQueue();
  #elapsedMs = 0;
  #listed: Line[] = [];
  #lines = 0;
  #pumping = false;
  #halted = false;
  #stepsMax = Number.POSITIVE_INFINITY;
  #onLimit: () => void = () => {};
  /** Called before each step, when everything that the one before has caused is done. */
  #between: () => void = () => {};
  #idle: (() => void)[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = seededRandom(options.seed);
  }

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  between(action: () => void): void {
    this.#between = action;
  }

  line(name: string): Line {
    this.#lines += 1;
    return new Line(name, this.#lines, this.#options.stalls && this.chance(slowLines));
  }

  /** A whole number from 0 to `count - 1`. */
  pick(count: number): number {
    return Math.floor(this.random() * count);
  }

  /** True once in `1 / probability` times. */
  chance(probability: number): boolean {
    return probability > 0 && this.random() < probability;
  }

  /** Says what happens; `text` is made only when somebody listens. */
  tell(text: () => string): void {
    this.#options.trace?.(`${this.steps} ${this.#elapsedMs.toFixed(2)} ms  ${text()}`);
  }

  schedule(line: Line, event: () => void): void {
    line.events.push(event);
    if (!line.listed) {
      line.listed = true;
      this.#listed.push(line);
    }
    this.#wake();
  }

  /**
   * Runs `action` on `line` when the clock has come so far; for one in the `background` alone it
   * does not go on.
   */
  after(line: Line, delayMs: number, action: () => void, background = false): Timer {
    const dueMs = this.#elapsedMs + Math.max(0, delayMs);
    const timer = this.#timers.add(dueMs, line, action, background);
    this.#wake();
    return timer;
  }

  /** Forgets the timers of a line. */
  dropTimers(line: Line): void {
    this.#timers.drop(line);
  }

  /** Resolves when nothing can happen any more unless somebody from outside begins something. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#wake();
    });
  }

  /** Rejects when so many steps were made, and makes no more. */
  limit(stepsMax: number): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.#stepsMax = stepsMax;
      this.#onLimit = () => reject(new Error(`not done after ${stepsMax} steps`));
    });
  }

  /** Makes no step any more. */
  halt(): void {
    this.#halted = true;
  }

  #wake(): void {
    if (this.#pumping || this.#halted) return;
    this.#pumping = true;
    process.nextTick(this.#pump);
  }

  /** Behind every microtask that is queued by now, and those that they will queue. */
  readonly #again = (): void => {
    process.nextTick(this.#pump);
  };

  readonly #pump = (): void => {
    if (this.steps >= this.#stepsMax) {
      this.#halted = true;
      this.#onLimit();
    }
    if (this.#halted) return;
    this.#between();
    if (this.#step()) {
      if (this.steps % stepsPerTurn === 0) setImmediate(this.#pump);
      else void settled.then(this.#again);
      return;
    }
    if (this.#timers.isAwaited) {
      // Others in this process may be about to begin something: they come first.
      setImmediate(this.#jump);
      return;
    }
    this.#pumping = false;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  };

  readonly #jump = (): void => {
    if (this.#listed.length === 0) {
      this.#elapsedMs = Math.max(this.#elapsedMs, this.#timers.nextMs);
      this.#ringTimers();
    }
    this.#pump();
  };

  #step(): boolean {
    if (this.#timers.nextMs <= this.#elapsedMs) this.#ringTimers();
    const line = this.#choose();
    if (line === undefined) return false;
    const event = line.shift();
    this.steps += 1;
    this.#elapsedMs += this.random() * stepMsMax;
    this.hash.add(line.code);
    event?.();
    return true;
  }

  #ringTimers(): void {
    for (let due = this.#timers.take(this.#elapsedMs); due !== undefined; ) {
      this.schedule(due.line, due.action);
      due = this.#timers.take(this.#elapsedMs);
    }
  }

  /** A line with an event; those that have none any more leave the list here. */
  #choose(): Line | undefined {
    const listed = this.#listed;
    for (let passes = 0; listed.length > 0; ) {
      const at = this.pick(listed.length);
      const line = listed[at];
      if (line === undefined || line.length === 0) {
        const last = listed.pop();
        if (last !== undefined && at < listed.length) listed[at] = last;
        if (line !== undefined) line.listed = false;
        continue;
      }
      if (!this.#options.stalls) return line;
      const isPassed = line.stalledUntil > this.steps || (line.isSlow && this.chance(0.85));
      if (isPassed && passes < passesMax) {
        passes += 1;
        continue;
      }
      if (this.chance(1 / 64)) line.stalledUntil = this.steps + this.pick(128);
      return line;
    }
    return undefined;
  }
}
