// The runtime's own tables in a task's storage. Numbers are part of the on-disk format.

/** Tables below `limits.tableStoreFirst`; programs have theirs from 8 on. */
export const systemTable = {
  /** Kept by the storage itself: format, clears, checkpoint. */
  meta: 0,
  /** What was applied from each task: stream-rows.ts has the layout of these three. */
  marks: 1,
  /** Messages on their way to other tasks. */
  outbox: 2,
  /** The numbers of each stream to another task. */
  outboxMeta: 3,
  /** One row: how often the task was started, and how it last ended (boot.ts). */
  boot: 4,
  /** `[id, 16 bytes]` → call record (call-records.ts): calls of clients that carried an id. */
  calls: 5,
  /** `[operation id, 28 bytes]` → call record: store operations of nodes that have not finished. */
  operations: 6,
} as const;
