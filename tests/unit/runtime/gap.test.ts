// A gap before a full window, from one host to the other. A bug here would look like a storm: each
// section that comes too early asks for all of the window again, and each answer is a window.
import { expect, it } from "vitest";
import { Host } from "../../../runtime/host.js";
import { section } from "../../../runtime/packet.js";
import { readAck, readStreamHeader } from "../../../runtime/stream-encoding.js";
import { topology } from "../../../runtime/topology.js";
import { HostCluster } from "../../support/host-cluster.js";
import { ManualSystem } from "../../support/manual-system.js";
import { bytes, text } from "../../support/storage-bytes.js";
import { anyStore, programEntry } from "../../support/task-bench.js";

const messages = 400;

/** Tasks 0 and 1, each on a thread of its own; the first section of the stream is lost. */
class Lossy {
  readonly system = new ManualSystem();
  readonly applied: string[] = [];
  readonly cluster: HostCluster;
  /** Numbers of the first messages of the sections that were posted. */
  readonly sections: number[] = [];
  asks = 0;
  /** What is on the way between the two, by the thread it goes to; `undefined`: nothing waits. */
  readonly #held = new Map<number, (() => void)[]>([
    [1, []],
    [2, []],
  ]);

  constructor() {
    const entry = programEntry((turn, message) => {
      if (turn.origin.kind === "task") this.applied.push(text(message));
      else turn.send(1, message);
      return undefined;
    });
    const declared = topology("gaps", import.meta.url, {
      stores: { bench: anyStore({}) },
      agents: { entry },
    });
    const note = (kind: number, body: Uint8Array): boolean => {
      if (kind === section.ack && readAck(1, body).resend) this.asks += 1;
      if (kind !== section.stream) return true;
      this.sections.push(readStreamHeader(1, body));
      return this.sections.length > 1;
    };
    class NotingHost extends Host {
      override post(...args: Parameters<Host["post"]>): void {
        const [, kind, , , body] = args;
        if (note(kind, body)) super.post(...args);
      }
    }
    this.cluster = new HostCluster(declared, {
      system: () => this.system,
      taskCount: 2,
      threadCount: 2,
      host: (parts) => new NotingHost(parts),
      delivery: (from, to, deliver) => {
        const held = from === 0 ? undefined : this.#held.get(to);
        if (held === undefined) this.system.later(deliver);
        else held.push(deliver);
      },
    });
  }

  async send(count: number): Promise<void> {
    const { programPort } = this.cluster.thread(0);
    for (let index = 1; index <= count; index += 1) {
      const asked = programPort.request(0, bytes(`m${index}`));
      await this.system.settle();
      await asked;
    }
  }

  /** Lets a thread have what is on the way to it: at once, or each packet as a batch of its own. */
  async release(thread: number, how: "at once" | "one by one"): Promise<void> {
    const held = this.#held.get(thread) ?? [];
    this.#held.delete(thread);
    for (const deliver of held) {
      deliver();
      if (how === "one by one") await this.system.settle();
    }
    await this.system.settle();
  }
}

it("asks once for the gap, and gets the window once more: no storm", async () => {
  const lossy = new Lossy();
  await lossy.send(messages);
  expect(lossy.sections).toHaveLength(messages);
  // The destination has met all of the window before the source hears of the gap.
  await lossy.release(2, "one by one");
  await lossy.release(1, "at once");
  const expected = Array.from({ length: messages }, (_, index) => `m${index + 1}`);
  expect(lossy.applied).toEqual(expected);
  expect(lossy.asks).toBe(1);
  // What was lost and all behind it fit one section.
  expect(lossy.sections.slice(messages)).toEqual([1]);
  expect(lossy.cluster.driver(0).task.outbox.unacknowledged).toBe(0);
});
