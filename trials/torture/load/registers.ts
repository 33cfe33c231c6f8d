// Registers — one writer for each, with many writes of it under way; and those who look on.

import { bodyBytesMax, isWhole, mark } from "../body.js";
import { isDelete, type LoadOrder, registerClients, registerNames, windows } from "../orders.js";
import { nextRegister, type Register } from "../topology.js";
import { type Load, oneOf, type Report, type Tortured, Window } from "./client.js";

/** Says what is there. */
export async function findRegisters(runtime: Tortured, report: Report): Promise<void> {
  const store = runtime.store("registers");
  const found = new Map<string, number>();
  for await (const [key, { n, breaks, body }] of store.entries()) {
    found.set(key, n);
    report.say(`found registers ${key} ${n} ${breaks} ${isWhole(mark(key, n), body) ? 1 : 0}`);
  }
  // Both ways of reading must agree: nobody writes yet.
  const read = await store.getMany(registerNames);
  for (const [index, key] of registerNames.entries()) {
    const one = read[index]?.n;
    if (one !== found.get(key)) {
      report.bad("lost", `${key}: ${found.get(key)} by entries, ${one} by getMany`);
    }
  }
}

/** Writes and looks on until nothing more can be called. */
export async function loadRegisters(load: Load, { registers }: LoadOrder): Promise<void> {
  const clients = Array.from({ length: registerClients }, (_, client) => {
    const own = registerNames.filter((_name, index) => index % registerClients === client);
    return new Writer(load, own, registers).run();
  });
  await Promise.all([...clients, watch(load)]);
}

class Writer {
  readonly #load: Load;
  readonly #window: Window;
  readonly #own: readonly string[];
  readonly #next: Map<string, { next: number; after: number }>;

  constructor(load: Load, own: readonly string[], resume: LoadOrder["registers"]) {
    this.#load = load;
    this.#window = new Window(load.report, windows.registers);
    this.#own = own;
    this.#next = new Map(own.map((key) => [key, { next: 1, after: 0, ...resume[key] }]));
  }

  async run(): Promise<void> {
    while (!this.#window.closed) {
      await this.#window.room();
      const open = this.#own.filter((key) => !this.#window.isFrozen(key));
      const key = oneOf(this.#load.random, open);
      if (key === undefined) return;
      await this.#write(key);
    }
  }

  async #write(key: string): Promise<void> {
    const at = this.#next.get(key);
    if (at === undefined) return;
    const { next: n, after } = at;
    const deletes = isDelete(mark(key, n));
    const choice = this.#load.random();
    // A modify reads and writes in two steps: alone, the order of this writer's calls stays plain.
    const isAlone = !deletes && choice < 0.1;
    if (isAlone) await this.#window.empty();
    if (this.#window.isFrozen(key)) return;
    this.#next.set(key, { next: n + 1, after: deletes ? 0 : n });
    this.#window.begin(key, () => this.#call(key, n, after, deletes, choice));
    if (isAlone) await this.#window.empty();
  }

  async #call(
    key: string,
    n: number,
    after: number,
    deletes: boolean,
    choice: number,
  ): Promise<void> {
    const { runtime, report } = this.#load;
    const store = runtime.store("registers");
    if (deletes) {
      const existed = await store.delete(key);
      if (existed !== after > 0) report.bad("lost", `${key}: delete ${n} found ${existed}`);
    } else if (choice < 0.1) {
      await store.modify(key, (current) => nextRegister(current, key, n, after));
    } else if (choice < 0.35) {
      // What a put replaces is not looked at: it says that all was well so far.
      await store.put(key, nextRegister(undefined, key, n, 0));
    } else {
      // Under an id or not: it is the same write.
      const writes = choice < 0.5 ? store.once(runtime.newId()) : store;
      const breaks = await writes.update("write", key, key, n, after);
      if (breaks > 0) report.bad("reordered", `${key}: write ${n} did not find ${after}`);
    }
    report.say(`ack registers ${key} ${n}`);
  }
}

const lookPauseMs = 5;

/** What is seen is durable, and never older than what was seen before. */
async function watch({ runtime, report, random }: Load): Promise<void> {
  const store = runtime.store("registers");
  const seen = new Map<string, number>();
  const window = new Window(report, 1);
  const look = async (key: string): Promise<void> => {
    const value: Register | undefined = await store.get(key);
    if (value === undefined) return;
    const { n, body } = value;
    const before = seen.get(key) ?? 0;
    if (n < before) report.bad("reordered", `${key}: ${n} was seen after ${before}`);
    if (body.length <= bodyBytesMax / 10 && !isWhole(mark(key, n), body)) {
      report.bad("torn", `${key}: the body of ${n} is not whole`);
    }
    if (n > before) report.say(`ack registers ${key} ${n}`);
    seen.set(key, Math.max(n, before));
  };
  while (!window.closed) {
    const key = oneOf(random, registerNames) ?? "";
    // Not frozen: a thread that comes back is looked at again.
    window.begin(key, () => look(key));
    await window.empty();
    await new Promise((resolve) => setTimeout(resolve, lookPauseMs * random()));
  }
}
