// Soon calls — functions that are called together, in order, when the running callback is done.
//
// The frame before them has just been opened to readers: replies go out before users' code runs.
// One microtask serves all that start with one frame.

export class SoonCalls {
  #calls: (() => void)[] = [];

  add(call: () => void): void {
    this.#calls.push(call);
    if (this.#calls.length === 1) void Promise.resolve().then(() => this.#callAll());
  }

  #callAll(): void {
    const calls = this.#calls;
    this.#calls = [];
    for (const call of calls) call();
  }
}
