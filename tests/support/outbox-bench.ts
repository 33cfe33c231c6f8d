// Outbox bench — the outbox of task 0 over a storage in memory, committed and pumped by hand.
import { ByteReader } from "../../base/byte-reader.js";
import { Outbox, type StreamWindow, streamWindow } from "../../runtime/outbox.js";
import { systemTable } from "../../runtime/system-table.js";
import { MemoryStorage } from "../../store/memory-storage.js";
import type { RecordWrite } from "../../store/storage.js";
import { bytes, text } from "./storage-bytes.js";

export interface Sent {
  readonly destination: number;
  readonly sequence: number;
  readonly message: string;
}

/** An outbox over a storage in memory; what it sends is read. */
export class OutboxBench {
  storage: MemoryStorage = MemoryStorage.create();
  outbox: Outbox;
  readonly #window: StreamWindow;

  constructor(window: StreamWindow = streamWindow) {
    this.#window = window;
    this.outbox = new Outbox(0, this.storage, 1, window);
  }

  stage(destination: number, ...messages: readonly string[]): void {
    for (const message of messages) this.outbox.stage(destination, bytes(message));
  }

  commit(): void {
    this.#publish(this.outbox.writes(this.#versions()));
    this.outbox.committed();
  }

  /** As a start does when destination 1 knows more. */
  goOn(next: number): void {
    this.#publish([this.outbox.goOn(1, next, this.#versions())]);
  }

  #versions(): () => number {
    let version = this.storage.versionLast;
    return () => {
      version += 1;
      return version;
    };
  }

  #publish(writes: readonly RecordWrite[]): void {
    if (writes.length === 0) return;
    this.storage.append(writes);
    this.storage.sync();
    this.storage.publish();
  }

  /** Everything that may be sent now. */
  pump(): readonly Sent[] {
    const sent: Sent[] = [];
    while (this.outbox.sendable) {
      this.outbox.pump((destination, first, body) => {
        const reader = new ByteReader(body);
        for (let sequence = first; !reader.done; sequence += 1) {
          sent.push({ destination, sequence, message: text(reader.lengthPrefixed()) });
        }
      });
    }
    return sent;
  }

  /** Destination 1 has applied that much; `durable` of it, all in mode `durable`. */
  acknowledge(applied: number, resend = false, durable = applied): void {
    this.acknowledgeBy(1, applied, resend, durable);
  }

  acknowledgeBy(destination: number, applied: number, resend = false, durable = applied): void {
    this.outbox.acknowledge(destination, { applied, durable, resend });
  }

  crash(): void {
    this.storage = this.storage.crash();
    this.outbox = new Outbox(0, this.storage, 1, this.#window);
  }

  get rows(): number {
    return this.storage.page(systemTable.outbox, {}, 100_000).length;
  }
}

/** One message as `pump` gives it. */
export const sent = (destination: number, sequence: number, message: string): Sent => {
  return { destination, sequence, message };
};
