// The runtime's own tables in a task's storage. Numbers are part of the on-disk format.

/** Tables below `limits.tableStoreFirst`; programs have theirs from 8 on. */
export const systemTable = {
  /** Kept by the storage itself: format, clears, checkpoint. */
  meta: 0,
  /** `[source u16]` → newest sequence applied from that task. */
  marks: 1,
  /** `[destination u16][sequence u64]` → message. */
  outbox: 2,
  /** `[destination u16]` → next sequence, newest trimmed. */
  outboxMeta: 3,
  /** One row: how often the task was started, and how it last ended (boot.ts). */
  boot: 4,
} as const;
