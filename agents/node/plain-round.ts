// Plain round — on which task each plain emit of one node invocation runs.

import type { TaskPort } from "../../runtime/task-program.js";

/**
 * The first emit stays on the emitter's task; each further one takes the next task of a round in
 * random order that ends with the emitter's own, again and again. So work stays local while there
 * is little, and spreads evenly when there is much.
 */
export class PlainRound {
  readonly #port: TaskPort;
  #round: readonly number[] | undefined;
  #next = -1;

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** The task of the next plain emit. */
  next(): number {
    const turn = this.#next;
    this.#next += 1;
    if (turn < 0) return this.#port.taskId;
    this.#round ??= this.#shuffled();
    return this.#round[turn % this.#round.length] ?? this.#port.taskId;
  }

  #shuffled(): readonly number[] {
    const { taskId, taskCount } = this.#port;
    const others = Array.from({ length: taskCount }, (_, task) => task);
    others.splice(taskId, 1);
    for (let last = others.length - 1; last > 0; last -= 1) {
      const chosen = Math.floor(this.#port.random() * (last + 1));
      const task = others[chosen] ?? 0;
      others[chosen] = others[last] ?? 0;
      others[last] = task;
    }
    return [...others, taskId];
  }
}
