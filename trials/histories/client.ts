// Client — performs seeded operations on versioned registers and tells the parent all of them.
//
// It runs on the launching thread and within nodes on task threads. Each line leaves with one
// system call, from whichever thread: a write before it is sent, its outcome and every read when
// they are there. So a kill at any instant leaves a history whose calls under way are known.
//
//   began <client> <call> <key> <invoked>        a write, whose outcome is unknown from now on
//   wrote <client> <call> <version> <returned>
//   lost <client> <call>                         its client was told that nobody knows
//   read <client> <call> <key> <version> <by> <invoked> <returned>
//
// Every write raises the version in the value by one and names itself in it. Times are nanoseconds
// of CLOCK_MONOTONIC, which all threads and processes share.

import { type KeyValueStore, PartitaError } from "../../index.js";
import { seededRandom } from "../../testing/index.js";
import { tell } from "../lines.js";

/** The value of a register. */
export interface Register {
  readonly version: number;
  /** `<client>/<call>` of the write. */
  readonly by: string;
  /** Fills arenas. */
  readonly padding: string;
}

/** What one client is to do. */
export interface HistoryTask {
  readonly client: string;
  readonly seed: number;
  /** Written and read; the first ones more often. */
  readonly keys: readonly string[];
  /** Calls before the first one: its number goes on from there. */
  readonly callsBefore: number;
  readonly calls: number;
  /** Calls that are under way at a time. */
  readonly window: number;
  readonly paddingBytesMax: number;
}

interface Updates {
  readonly write: (
    current: Register | undefined,
    by: string,
    paddingBytes: number,
  ) => Register | undefined;
}

type Registers = Pick<
  KeyValueStore<string, Register, Updates>,
  "get" | "getMany" | "entries" | "update" | "modify"
>;

const retryMs = 10;
const burstMs = 4;

/** The newest read of a key. */
interface Seen {
  readonly key: string;
  readonly invoked: number;
  readonly returned: number;
  readonly value: Register | undefined;
}

export class HistoryClient {
  readonly #registers: Registers;
  readonly #task: HistoryTask;
  readonly #random: () => number;
  readonly #underWay = new Set<Promise<void>>();
  #closed = false;
  #lost = false;

  constructor(registers: Registers, task: HistoryTask) {
    this.#registers = registers;
    this.#task = task;
    this.#random = seededRandom(task.seed);
  }

  /** Ends when all calls are made, or nothing more can be called. */
  async run(): Promise<void> {
    const { callsBefore, calls, window } = this.#task;
    for (let made = 1; made <= calls && !this.#closed; made += 1) {
      const choice = this.#random();
      // A modify reads and writes in two steps: alone, the order of this client stays plain.
      const isAlone = choice >= 0.75 && choice < 0.85;
      if (isAlone) await Promise.all(this.#underWay);
      const done = this.#make(callsBefore + made, choice)
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#underWay.delete(done));
      this.#underWay.add(done);
      if (isAlone) await done;
      else if (this.#underWay.size >= window) await Promise.race(this.#underWay);
      if (!this.#lost) continue;
      this.#lost = false;
      // The thread comes back; calls until then would only be refused.
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    await Promise.all(this.#underWay);
  }

  /**
   * Reads until told to stop, in bursts in which the event loop never turns. Of reads in a row that
   * see one version it tells the first and the last.
   */
  async gaze(signal: AbortSignal): Promise<void> {
    const seen = new Map<string, Seen>();
    let call = this.#task.callsBefore;
    const tell = ({ key, invoked, returned, value }: Seen): void => {
      call += 1;
      this.#tell(call, key, invoked, value, returned);
    };
    while (!signal.aborted && !this.#closed) {
      await this.#burst(seen, tell).catch((error: unknown) => this.#failed(error));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const last of seen.values()) tell(last);
  }

  async #burst(seen: Map<string, Seen>, tell: (one: Seen) => void): Promise<void> {
    for (const end = performance.now() + burstMs; performance.now() < end; ) {
      for (const key of this.#task.keys) {
        const invoked = now();
        const value = await this.#registers.get(key);
        const one = { key, invoked, returned: now(), value };
        const before = seen.get(key);
        seen.set(key, one);
        if (before !== undefined && before.value?.version === value?.version) continue;
        if (before !== undefined) tell(before);
        tell(one);
      }
    }
  }

  /** Reads every key once, whatever has to come back before. */
  async look(): Promise<void> {
    let call = this.#task.callsBefore;
    for (const key of this.#task.keys) {
      call += 1;
      for (let isRead = false; !isRead; ) {
        const invoked = now();
        try {
          this.#read(call, key, invoked, await this.#registers.get(key));
          isRead = true;
        } catch (error) {
          this.#failed(error);
          await new Promise((resolve) => setTimeout(resolve, retryMs));
        }
      }
    }
  }

  #failed(error: unknown): void {
    if (!PartitaError.is(error)) throw error;
    if (error.code === "CLOSED") this.#closed = true;
    else if (error.code === "TASK_EXITED") this.#lost = true;
    else throw error;
  }

  async #make(call: number, choice: number): Promise<void> {
    const { keys } = this.#task;
    const key = keys[Math.floor(this.#random() ** 2 * keys.length)] ?? "";
    if (choice >= 0.4 && choice < 0.85) {
      await this.#write(call, key, choice < 0.75);
      return;
    }
    const invoked = now();
    if (choice < 0.4) this.#read(call, key, invoked, await this.#registers.get(key));
    else if (choice < 0.96) {
      const many = [key, ...keys.slice(0, 3)];
      const found = await this.#registers.getMany(many);
      for (const [index, one] of many.entries()) this.#read(call, one, invoked, found[index]);
    } else {
      for await (const [one, value] of this.#registers.entries({ from: key, limit: 10 })) {
        // Other histories have their keys beside these.
        if (keys.includes(one)) this.#read(call, one, invoked, value);
      }
    }
  }

  async #write(call: number, key: string, asUpdate: boolean): Promise<void> {
    const { client, paddingBytesMax } = this.#task;
    const by = `${client}/${call}`;
    const paddingBytes = Math.floor(this.#random() ** 4 * paddingBytesMax);
    say(`began ${client} ${call} ${key} ${now()}`);
    const change = (current: Register | undefined) => nextRegister(current, by, paddingBytes);
    try {
      const written = asUpdate
        ? await this.#registers.update("write", key, by, paddingBytes)
        : await this.#registers.modify(key, change);
      say(`wrote ${client} ${call} ${written?.version ?? 0} ${now()}`);
    } catch (error) {
      say(`lost ${client} ${call}`);
      throw error;
    }
  }

  #read(call: number, key: string, invoked: number, value: Register | undefined): void {
    this.#tell(call, key, invoked, value, now());
  }

  #tell(
    call: number,
    key: string,
    invoked: number,
    value: Register | undefined,
    returned: number,
  ): void {
    const { version, by } = value ?? { version: 0, by: "-" };
    say(`read ${this.#task.client} ${call} ${key} ${version} ${by} ${invoked} ${returned}`);
  }
}

/** What a write makes of a register. */
export function nextRegister(
  current: Register | undefined,
  by: string,
  paddingBytes: number,
): Register {
  return { version: (current?.version ?? 0) + 1, by, padding: "-".repeat(paddingBytes) };
}

/** A line to the parent; it has left when this returns. */
export function say(line: string): void {
  tell(`${line}\n`);
}

function now(): number {
  return Number(process.hrtime.bigint());
}
