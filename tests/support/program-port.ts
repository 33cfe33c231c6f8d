// Port of one harness task: what its program is given in one life (runtime/task-program.ts).

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { appliedDigest } from "../../runtime/node-operations.js";
import type { RecalledRow } from "../../runtime/operation-journal.js";
import { status } from "../../runtime/lane-encoding.js";
import type {
  NeighbourCall,
  ObjectEntry,
  ProgramClientPort,
  TaskPort,
  OwnWork,
} from "../../runtime/task-program.js";
import { ThreadObjects } from "../../runtime/thread-objects.js";
import type { HarnessClock } from "./program-clock.js";
import { type HarnessStamp, noted } from "./program-records.js";
import type { CommittedRows } from "./program-rows.js";
import { harnessGuards, type Later, type StoreContent, storeClient } from "./program-store.js";

/** From one start of a task to its crash. */
export class HarnessLife {
  alive = true;
  readonly ended: Promise<void>;
  end: () => void = () => {};
  #clients: ProgramClientPort | undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.end = () => {
        this.alive = false;
        resolve();
      };
    });
  }

  /** The client port of the task's own nodes, made when it is asked for. */
  clientsFrom(make: () => ProgramClientPort): ProgramClientPort {
    this.#clients ??= make();
    return this.#clients;
  }
}

export interface HarnessPortParts {
  readonly id: number;
  readonly taskCount: number;
  readonly boots: number;
  readonly isWeak: boolean;
  readonly life: HarnessLife;
  readonly rows: CommittedRows;
  readonly clock: HarnessClock;
  readonly random: () => number;
  readonly stores: Readonly<Record<string, { readonly content: StoreContent }>>;
  readonly compute: Readonly<Record<string, (...args: never[]) => unknown>>;
  readonly objects: Readonly<Record<string, ObjectEntry>>;
  readonly topology: string;
  readonly neighbour: NeighbourCall;
  ownerOf(keyHash: number): number;
  submit(message: Uint8Array | OwnWork): void;
  /** Sends a message to a task; rejects when that is lost before it has answered. */
  request(task: number, message: Uint8Array): Promise<Uint8Array>;
  /** Sends a message to the task itself that is recorded; resolves with its reply. */
  applied(message: Uint8Array, stamp: HarnessStamp): Promise<Uint8Array>;
  recall(task: number, prefix: Uint8Array): readonly RecalledRow[];
  readonly clients: () => ProgramClientPort;
  /** Queues what a store or a compute function does. */
  enqueue(action: () => void): void;
}

/** Notes are recorded some time after they are made. */
function noteOf({ id, rows }: HarnessPortParts, later: Later): TaskPort["note"] {
  return async (journal, step, name, outcome) => {
    await journal.write(id, step, (stamp) =>
      later(() => {
        noted(rows, name, outcome, stamp);
        return { status: status.ok, bytes: outcome };
      }),
    );
  };
}

export function harnessPort(parts: HarnessPortParts): TaskPort {
  const { life, rows, clock } = parts;
  const unclean = parts.boots > 1;
  const later = <T>(action: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      if (!life.alive) return;
      parts.enqueue(() => {
        try {
          resolve(action());
        } catch (error) {
          reject(error);
        }
      });
    });
  return {
    topology: parts.topology,
    taskId: parts.id,
    taskCount: parts.taskCount,
    boot: { count: parts.boots, unclean, lossy: unclean && parts.isWeak },
    isWeak: parts.isWeak,
    // Not what rows are held to: tests see what happens when a row is refused after all.
    rowBytesMax: limits.valueBytesMax,
    ownerOf: (keyHash) => parts.ownerOf(keyHash),
    now: () => clock.nowMs,
    random: parts.random,
    after: (delayMs, action, background) =>
      clock.after(
        delayMs,
        () => {
          if (life.alive) action();
        },
        background,
      ),
    submit: (message) => {
      if (life.alive) parts.submit(message);
    },
    get: (table, key) => rows.get(table, key),
    page: (table, range, limit) => rows.page(table, range, limit),
    note: noteOf(parts, later),
    ask: (task, message) => askedAgain(parts, task, message),
    recall: (prefix) => recalledOf(parts, prefix, later),
    applied: async (journal, step, name, message) => {
      const digest = appliedDigest(name);
      const reply = await journal.write(parts.id, step, async ({ id, reads }) => {
        const bytes = await parts.applied(message.slice(), { id, digest, reads: reads.slice() });
        return { status: status.ok, bytes };
      });
      return reply.bytes;
    },
    get clients() {
      return parts.clients();
    },
    store: (name) => {
      const store = parts.stores[name];
      if (store === undefined) throw new Error(`there is no store "${name}"`);
      return storeClient(store.content, later);
    },
    ...harnessGuards,
    objects: new ThreadObjects(new Map(Object.entries(parts.objects)), clock),
    neighbour: (topology, request, signal) => parts.neighbour(topology, request, signal),
    compute: async (name, args, options) => {
      options?.signal?.throwIfAborted();
      const fn = parts.compute[name];
      if (fn === undefined) throw new Error(`there is no compute function "${name}"`);
      // cast: the agent's types have made sure of the arguments
      const call = fn as (...given: readonly unknown[]) => unknown;
      return await (await later(() => ({ returned: call(...args) }))).returned;
    },
  };
}

/** One task after the other: what is recorded meanwhile may be missed. */
async function recalledOf(
  { taskCount, recall }: HarnessPortParts,
  prefix: Uint8Array,
  later: <T>(action: () => T) => Promise<T>,
): Promise<readonly RecalledRow[]> {
  const found: RecalledRow[] = [];
  for (let task = 0; task < taskCount; task += 1) {
    found.push(...(await later(() => recall(task, prefix))));
  }
  return found;
}

/** Sends a message until it is answered. */
async function askedAgain(
  { life, request }: HarnessPortParts,
  task: number,
  message: Uint8Array,
): Promise<Uint8Array> {
  for (;;) {
    try {
      const reply = await request(task, message);
      // Who has died hears nothing any more.
      return life.alive ? reply : await new Promise<never>(() => {});
    } catch (error) {
      if (!life.alive) return await new Promise<never>(() => {});
      if (!PartitaError.is(error, "TASK_EXITED")) throw error;
    }
  }
}
