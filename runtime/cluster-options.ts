// Cluster options — what `launch` can be told, its defaults, and the refusal of what makes no
// sense.
//
// Owns: names, units, defaults, ranges. Every problem is found before anything is opened.

import { availableParallelism } from "node:os";
import { limits } from "../base/limits.js";
import { checkOptionNames, optionInvalid } from "../base/options.js";
import type { Durability } from "../store/task-storage.js";
import type { CallRetention } from "./call-records.js";
import type { DiskMarks } from "./disk-guard.js";
import type { LaneBounds } from "./lane.js";

/** How far requests may run ahead of a task. */
export interface MailboxOptions {
  /** Requests of one thread on the way to one task. Default 65,536. */
  readonly messagesMax?: number;
  /** Bytes of them. Default 64 MiB; at least one value of the largest size. */
  readonly bytesMax?: number;
  /** Beyond that: callers wait for room (default), or are refused with MAILBOX_FULL. */
  readonly whenFull?: "wait" | "reject";
}

/** How long calls with an id are remembered, on each task. */
export interface IdOptions {
  /** Default 24 hours. Clients must not retry with an id for longer than this. */
  readonly retentionMs?: number;
  /** Replies kept at most, the newest; default 100,000 (some 20 MB with small replies). */
  readonly recordsMax?: number;
}

/** Options of `launch`. */
export interface LaunchOptions {
  /** The data directory; made when missing (0700). One process has it open at a time. */
  readonly directory: string;
  /**
   * Partitions of the key space, fixed when the directory is made (default 4). Later launches may
   * leave it out; another number is refused with TASK_COUNT_MISMATCH.
   */
  readonly tasks?: number;
  /**
   * Task threads (default: the machine's cores, at most `tasks`); may change at every launch.
   * 0 runs every task on the calling thread, through the same code: for tests and small embeddings.
   */
  readonly threads?: number;
  /**
   * When a write is acknowledged. `durable` (default): after it is on the device. `interval`: at
   * once, synced every `syncIntervalMs`. `relaxed`: at once, synced at the system's pace. The
   * latter two can lose the newest batches in a power cut, never more, and corrupt nothing; kill -9
   * loses nothing.
   */
  readonly durability?: Durability;
  /** Mode `interval` alone: milliseconds between syncs. Default 100. */
  readonly syncIntervalMs?: number;
  /**
   * Bytes of one of the two memtable arenas of a task (default 64 MiB, taken from the system as it
   * is written). Larger ones make checkpoints cheaper for each row, and a launch after a crash
   * slower.
   * No value may be larger than a quarter of it.
   */
  readonly arenaBytes?: number;
  readonly mailbox?: MailboxOptions;
  readonly ids?: IdOptions;
  /**
   * What the death of a task thread means. `stop` (default): every caller is rejected with
   * TASK_EXITED, all threads end. `restart`: callers that waited on it are rejected, the thread is
   * started again and recovers from its logs (at most 10 times).
   */
  readonly onThreadExit?: "stop" | "restart";
  /**
   * How long `close` waits for work under way. Default 10,000 ms; the rest goes on at the next
   * launch.
   */
  readonly closeTimeoutMs?: number;
  /** Threads of the compute pool, started with the first call. Default: the machine's cores. */
  readonly computeThreads?: number;
  /** Threads that write checkpoints. Default 2, at most `tasks`. */
  readonly checkpointThreads?: number;
  /**
   * Free bytes of the directory's file system below which new work is refused with DISK_LOW: writes
   * of stores (`delete` and `clear` write too), `invoke` and `initiate`. Reads, compute functions
   * and all that was accepted go on. Default 256 MiB; 0 turns both marks off.
   */
  readonly diskLowBytes?: number;
  /**
   * Free bytes below which no node function is started either, so that checkpoints can give space
   * back. Above a mark, by an eighth of it, everything goes on by itself. Default 64 MiB, at most
   * `diskLowBytes`.
   */
  readonly diskReserveBytes?: number;
  /**
   * How long an update or a node function may hold its thread without letting the event loop turn.
   * Past that the process is stopped, since nothing else ends an endless loop without losing what
   * the thread has in hand: the diagnosis goes to standard error, and to `stats().lastStop` of the
   * next launch. Waiting (for a device, in `await`) does not count, nor what the calling thread
   * does on its own. Default 30,000 ms; 0 turns it off, and it is off while an inspector is open.
   */
  readonly handlerTimeoutMs?: number;
  /**
   * Bytes that V8's heap of one task thread may take, the youngest 24 MiB apart: a thread that
   * holds more ends, with what `onThreadExit` says. Below 2 GiB V8 collects garbage when it is as
   * much as what lives, not three times as much. At least 128 MiB; default: what V8 says for this
   * machine. With `threads: 0`, and under `--max-old-space-size`, the limit of the process counts.
   */
  readonly threadHeapBytes?: number;
}

/** The same with every default filled in. */
export interface ClusterOptions {
  readonly directory: string;
  readonly taskCount: number | undefined;
  readonly threadCount: number;
  readonly durability: Durability;
  readonly syncIntervalMs: number;
  readonly arenaBytes: number;
  readonly bounds: LaneBounds;
  readonly callRetention: CallRetention;
  readonly onThreadExit: "stop" | "restart";
  readonly closeTimeoutMs: number;
  readonly computeThreads: number;
  readonly checkpointThreads: number;
  readonly diskMarks: DiskMarks;
  readonly handlerTimeoutMs: number;
  /** V8's own when it is not given. */
  readonly threadHeapBytes: number | undefined;
}

const where = "launch";

const known = [
  "directory",
  "tasks",
  "threads",
  "durability",
  "syncIntervalMs",
  "arenaBytes",
  "mailbox",
  "ids",
  "onThreadExit",
  "closeTimeoutMs",
  "computeThreads",
  "checkpointThreads",
  "diskLowBytes",
  "diskReserveBytes",
  "handlerTimeoutMs",
  "threadHeapBytes",
] as const satisfies readonly (keyof LaunchOptions)[];

/** @throws PartitaError OPTION_UNKNOWN, OPTION_INVALID */
export function clusterOptions(options: LaunchOptions): ClusterOptions {
  checkOptionNames(where, options, known);
  const { directory } = options;
  if (typeof directory !== "string" || directory === "" || directory.includes("\0")) {
    throw optionInvalid(where, "directory", directory, "a path");
  }
  const cores = availableParallelism();
  return {
    directory,
    taskCount:
      options.tasks === undefined ? undefined : whole("tasks", options.tasks, 1, limits.tasksMax),
    threadCount: whole("threads", given(options.threads, cores), 0, limits.threadsMax),
    durability: oneOf("durability", given(options.durability, "durable"), [
      "durable",
      "interval",
      "relaxed",
    ]),
    syncIntervalMs: whole(
      "syncIntervalMs",
      given(options.syncIntervalMs, limits.syncIntervalMs),
      1,
      60_000,
    ),
    arenaBytes: whole(
      "arenaBytes",
      given(options.arenaBytes, limits.arenaBytesDefault),
      limits.arenaBytesMin,
      limits.arenaBytesMax,
    ),
    bounds: laneBounds(options),
    callRetention: callRetention(options.ids),
    onThreadExit: oneOf("onThreadExit", given(options.onThreadExit, "stop"), ["stop", "restart"]),
    closeTimeoutMs: whole(
      "closeTimeoutMs",
      given(options.closeTimeoutMs, limits.closeTimeoutMs),
      0,
      3_600_000,
    ),
    computeThreads: whole(
      "computeThreads",
      given(options.computeThreads, cores),
      1,
      limits.threadsMax,
    ),
    checkpointThreads: whole(
      "checkpointThreads",
      given(options.checkpointThreads, limits.checkpointThreads),
      1,
      limits.threadsMax,
    ),
    diskMarks: diskMarks(options),
    handlerTimeoutMs: handlerTimeoutMs(options),
    threadHeapBytes: threadHeapBytes(options),
  };
}

function laneBounds(options: LaunchOptions): LaneBounds {
  const mailbox = given(options.mailbox, {});
  checkOptionNames(`${where} mailbox`, mailbox, ["messagesMax", "bytesMax", "whenFull"]);
  const { laneMessagesMax, laneBytesMax } = limits;
  const messagesMax = given(mailbox.messagesMax, laneMessagesMax);
  const bytesMax = given(mailbox.bytesMax, laneBytesMax);
  return {
    messagesMax: whole("mailbox.messagesMax", messagesMax, 1, laneMessagesMax),
    bytesMax: whole("mailbox.bytesMax", bytesMax, 1, laneBytesMax),
    whenFull: oneOf("mailbox.whenFull", given(mailbox.whenFull, "wait"), ["wait", "reject"]),
  };
}

function threadHeapBytes({ threadHeapBytes: asked }: LaunchOptions): number | undefined {
  if (asked === undefined) return asked;
  return whole("threadHeapBytes", asked, limits.threadHeapBytesMin, limits.threadHeapBytesMax);
}

function handlerTimeoutMs(options: LaunchOptions): number {
  const asked = given(options.handlerTimeoutMs, limits.handlerTimeoutMs);
  if (asked === 0) return asked;
  return whole("handlerTimeoutMs", asked, limits.handlerTimeoutMsMin, 3_600_000);
}

/** The second mark is below the first: work is refused before it is held up. */
function diskMarks(options: LaunchOptions): DiskMarks {
  const lowDefault = given(options.diskLowBytes, limits.diskLowBytes);
  const diskLowBytes = whole("diskLowBytes", lowDefault, 0, limits.diskBytesMax);
  const reserveDefault = Math.min(limits.diskReserveBytes, diskLowBytes);
  const diskReserveBytes = given(options.diskReserveBytes, reserveDefault);
  return {
    diskLowBytes,
    diskReserveBytes: whole("diskReserveBytes", diskReserveBytes, 0, diskLowBytes),
  };
}

function callRetention(options: IdOptions | undefined): CallRetention {
  const ids = given(options, {});
  checkOptionNames(`${where} ids`, ids, ["retentionMs", "recordsMax"]);
  const { callRetentionMs, callRecordsMax } = limits;
  const retentionMs = given(ids.retentionMs, callRetentionMs);
  const recordsMax = given(ids.recordsMax, callRecordsMax);
  return {
    retentionMs: whole("ids.retentionMs", retentionMs, 1_000, 365 * callRetentionMs),
    recordsMax: whole("ids.recordsMax", recordsMax, 1, 100 * callRecordsMax),
  };
}

function whole(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max)
    return value;
  throw optionInvalid(where, option, value, `a whole number from ${min} to ${max}`);
}

/** Not `??`: null is no way to ask for the default. */
function given<T>(value: T | undefined, otherwise: T): T {
  return value === undefined ? otherwise : value;
}

function oneOf<const T extends string>(option: string, value: T, valid: readonly T[]): T {
  if (valid.includes(value)) return value;
  throw optionInvalid(where, option, value, `one of ${valid.join(", ")}`);
}
