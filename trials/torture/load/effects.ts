// Effects — invocations that leave one row for each of their messages, on all tasks.

import {
  type Again,
  type EffectKind,
  effectKinds,
  idOf,
  type LoadOrder,
  messagesOf,
  msOf,
  windows,
} from "../orders.js";
import { insist, type Load, type Report, type Tortured, Window } from "./client.js";
import { answer, follow } from "./surveys.js";

/** What the rows of one invocation say together. */
interface Together {
  of: number;
  call: string;
  steps: number;
  repeats: number;
  doubles: number;
}

/** Says what is there, invocation by invocation, and returns the keys. */
export async function findEffects(runtime: Tortured, report: Report): Promise<string[]> {
  const invocations = new Map<string, Together>();
  const keys: string[] = [];
  for await (const [key, { of, call, repeats, doubles }] of runtime.store("effects").entries()) {
    keys.push(key);
    const id = key.slice(0, key.indexOf(" "));
    const together = invocations.get(id) ?? { of, call, steps: 0, repeats: 0, doubles: 0 };
    together.steps += 1;
    together.repeats += repeats;
    together.doubles += doubles;
    invocations.set(id, together);
  }
  for (const [id, { of, call, steps, repeats, doubles }] of invocations) {
    report.say(`found effects ${id} ${call} ${of} ${steps} ${repeats} ${doubles}`);
  }
  return keys;
}

/** Rows of what was complete when it was compared. */
export interface Settled {
  readonly effects: readonly string[];
  readonly answers: readonly string[];
}

const pauseMs = 8;

/** Begins invocations; and removes the rows of those that were found to be complete. */
export async function loadEffects(load: Load, order: LoadOrder, settled: Settled): Promise<void> {
  const kinds = effectKinds.map((kind) => new Beginner(load, kind, order).run());
  const { effects, answers } = settled;
  await Promise.all([...kinds, remove(load, "effects", effects), remove(load, "answers", answers)]);
}

/** Begins invocations of one kind: first those of the life before, again, under their ids. */
class Beginner {
  readonly #load: Load;
  readonly #kind: EffectKind;
  readonly #order: LoadOrder;

  constructor(load: Load, kind: EffectKind, order: LoadOrder) {
    this.#load = load;
    this.#kind = kind;
    this.#order = order;
  }

  async run(): Promise<void> {
    const { report, random } = this.#load;
    const { next, again } = this.#order.effects[this.#kind];
    const window = new Window(report, windows.effects);
    let open = true;
    const make = async (call: Again): Promise<void> => {
      const isMade = await insist(() => this.#begin(call));
      open &&= isMade;
    };
    for (const call of again) {
      await window.room();
      window.begin(this.#kind, () => make(call));
    }
    for (let n = next; open && !window.isFrozen(this.#kind); n += 1) {
      const ms = msOf(n, next, this.#order.fromMs);
      window.begin(this.#kind, () => make({ n, ms, id: "" }));
      await window.room();
      await new Promise((resolve) => setTimeout(resolve, pauseMs * random()));
    }
  }

  async #begin({ n, ms, id: known }: Again): Promise<void> {
    const { runtime, report } = this.#load;
    const kind = this.#kind;
    const of = messagesOf(kind, n);
    const once = { id: idOf(kind, n, ms) };
    const input = { of, call: `${kind}:${n}` };
    const { id } = await runtime.agent(kind).initiate(input, once);
    if (known === "") report.say(`ack effects ${kind} ${n} ${id}`);
    if (kind === "survey") await this.#attend(id, of, input.call);
    if (known === "") return;
    // What is done has an outcome, and is not done again.
    if (id !== known) report.bad("duplicated", `${kind} ${n} began ${id} after ${known}`);
    const result = await runtime.agent(kind).invoke(input, once);
    if (result !== of) report.bad("lost", `${kind} ${n} resulted in ${result}, not in ${of}`);
  }

  /** Some surveys are left to those who come after the next death. */
  async #attend(id: string, of: number, call: string): Promise<void> {
    const { runtime, report, random } = this.#load;
    const survey = { runtime, report, id, of };
    const share = random();
    const work: Promise<unknown>[] = [];
    if (share < 0.7) work.push(answer(survey));
    if (share < 0.4) work.push(follow(survey, call));
    await Promise.all(work);
  }
}

async function remove(
  { runtime, report }: Load,
  store: "effects" | "answers",
  keys: readonly string[],
): Promise<void> {
  const window = new Window(report, windows.effects);
  for (const key of keys) {
    if (window.closed) return;
    window.begin(key, async () => {
      await runtime.store(store).delete(key);
    });
    await window.room();
  }
}
