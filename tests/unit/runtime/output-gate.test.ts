// The output gate (S5) and atomic operations (S2). Bugs here would look like a reply, a message or
// an acknowledgement that tells of a batch which a power cut can still take, or half of an
// operation.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { PartitaError } from "../../../base/errors.js";
import { Host } from "../../../runtime/host.js";
import { section } from "../../../runtime/packet.js";
import { systemTable } from "../../../runtime/system-table.js";
import type { Turn } from "../../../runtime/task-program.js";
import { topology } from "../../../runtime/topology.js";
import { string } from "../../../store/key.js";
import { hashKey } from "../../../store/key-hash.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { hookedStorage } from "../../support/hooked-storage.js";
import { HostCluster } from "../../support/host-cluster.js";
import { ManualSystem, SystemStopped } from "../../support/manual-system.js";
import { check } from "../../support/property.js";
import { bytes, text } from "../../support/storage-bytes.js";
import { anyStore, keyOwnedBy, programEntry } from "../../support/task-bench.js";

const counters = anyStore({
  add: (count: unknown, by: number) => (typeof count === "number" ? count : 0) + by,
});
const [oddTable, evenTable] = [8, 9];

/** Kinds of what one host posts for its tasks; requests are not an output of a task. */
const outputs: Readonly<Record<number, string>> = {
  [section.replies]: "replies",
  [section.notices]: "notices",
  [section.stream]: "stream",
  [section.ack]: "ack",
};

interface GateSettings {
  /** Throws what a step of the commit of task 0 is to fail with. */
  readonly fail?: (method: string) => void;
  readonly runCheckpoint?: () => Promise<void>;
  readonly arenaBytes?: number;
}

/** Two tasks on one host; what they do to their storages and post is written down in order. */
class Gate {
  readonly system: ManualSystem = new ManualSystem();
  readonly events: string[] = [];
  readonly cluster: HostCluster;

  constructor(settings: GateSettings = {}) {
    const { events, system } = this;
    const { fail = () => {}, ...memory } = settings;
    class RecordingHost extends Host {
      override post(...args: Parameters<Host["post"]>): void {
        const [, kind, from] = args;
        const output = outputs[kind];
        if (output !== undefined) events.push(`task ${from} posts ${output}`);
        super.post(...args);
      }
    }
    const entry = programEntry((turn, message) => relay(turn, message, events));
    const declared = topology("gate", import.meta.url, {
      stores: { counters },
      agents: { relay: entry },
    });
    this.cluster = new HostCluster(declared, {
      system: () => system,
      taskCount: 2,
      host: (parts) => new RecordingHost(parts),
      storage: (task) =>
        hookedStorage(MemoryStorage.create(memory), (method) => {
          if (!["append", "sync", "publish"].includes(method)) return;
          if (task === 0) fail(method);
          events.push(`task ${task} ${method}`);
        }),
    });
  }

  /** Asks the program of a task. */
  ask(task: number, message: string): Promise<Uint8Array> {
    return this.cluster.thread(0).programPort.request(task, bytes(message));
  }

  /** Events of one task, from its first to its last. */
  of(task: number): readonly string[] {
    const prefix = `task ${task} `;
    return this.events.flatMap((event) =>
      event.startsWith(prefix) ? [event.slice(prefix.length)] : [],
    );
  }
}

/** Writes two rows, tells task 1, a client and itself; "…!" throws at the very end. */
function relay(turn: Turn, message: Uint8Array, events: string[]): Uint8Array {
  const name = text(message);
  for (const table of [oddTable, evenTable]) {
    const count = turn.get(table, bytes("count"));
    turn.put(table, bytes("count"), bytes(String(Number(count ? text(count) : 0) + 1)));
  }
  if (turn.origin.kind === "lane") turn.send(1, message);
  turn.notify(0, message);
  turn.afterCommit(() => events.push(`action ${name}`));
  if (name.endsWith("!")) throw new PartitaError("CLOSED", { what: name });
  return bytes("done");
}

describe("output gate — order (S5, D1, B1)", () => {
  it("posts nothing of a batch before its frame is synced and visible", async () => {
    const gate = new Gate();
    const reply = gate.ask(0, "hello");
    await gate.system.settle();
    expect(text(await reply)).toBe("done");
    expect(gate.of(0)).toEqual([
      "append",
      "sync",
      "publish",
      "posts replies",
      "posts notices",
      "posts stream",
    ]);
    expect(gate.of(1)).toEqual(["append", "sync", "publish", "posts notices", "posts ack"]);
    expect(gate.events.indexOf("action hello")).toBeGreaterThan(
      gate.events.indexOf("task 0 publish"),
    );
  });

  it("holds for every batch, with many clients, messages and reads in flight", async () => {
    const call = fc.tuple(fc.nat(1), fc.constantFrom("relay", "add", "refuse"));
    const property = fc.asyncProperty(fc.array(call, { maxLength: 25 }), async (calls) => {
      const gate = new Gate();
      const store = gate.cluster.store("counters");
      for (const [task, kind] of calls) {
        if (kind === "add") void store.update("add", keyOwnedBy(task, 2), 1);
        else gate.ask(task, kind === "relay" ? "m" : "m!").catch(() => {});
        if (kind !== "add") gate.system.step();
      }
      await gate.system.settle();
      for (const task of [0, 1]) {
        let frameOpen = false;
        for (const event of gate.of(task)) {
          if (event === "append") frameOpen = true;
          else if (event === "publish") frameOpen = false;
          else if (event.startsWith("posts")) expect(frameOpen).toBe(false);
        }
        expect(gate.cluster.driver(task).task.quiet).toBe(true);
      }
    });
    await check(property, { runs: 60 });
  });

  it("shows a read nothing of a batch that is not synced, from whatever thread", async () => {
    const key = string.encode(keyOwnedBy(0, 2));
    const looks: unknown[] = [];
    let look = (): unknown => undefined;
    const gate = new Gate({ fail: () => looks.push(look()) });
    const reader = gate.cluster.storage(0).reader();
    look = () => reader.get(16, key, hashKey(key));
    const put = gate.cluster.store("counters").put(keyOwnedBy(0, 2), 7);
    await gate.system.settle();
    await put;
    expect(looks).toEqual([undefined, undefined, undefined]);
    expect(look()).toMatchObject({ version: expect.any(Number) });
  });
});

describe("output gate — a frame that cannot be made durable (D2)", () => {
  for (const step of ["append", "sync", "publish"]) {
    it(`stops the system when ${step} fails, and reveals nothing of the batch`, async () => {
      const failing: GateSettings = {
        fail: (method) => {
          if (method === step) throw new Error(`EIO in ${step}`);
        },
      };
      const gate = new Gate(failing);
      const settled: string[] = [];
      const watch = (call: Promise<unknown>, name: string): void => {
        call.then(
          () => settled.push(`${name} resolved`),
          () => settled.push(`${name} rejected`),
        );
      };
      watch(gate.ask(0, "hello"), "program");
      watch(gate.cluster.store("counters").put(keyOwnedBy(0, 2), 1), "put");
      await expect(gate.system.settle()).rejects.toThrow(SystemStopped);
      expect(gate.system.stops).toEqual([
        expect.stringContaining(`task 0 failed to commit: EIO in ${step} (Error at `),
      ]);
      await gate.system.settle();
      expect(gate.of(0).filter((event) => event.startsWith("posts"))).toEqual([]);
      expect(gate.events.filter((event) => event.startsWith("action"))).toEqual([]);
      expect([gate.of(1), settled]).toEqual([[], []]);
      expect(gate.cluster.storage(0).page(oddTable, {}, 10)).toEqual([]);
    });
  }

  it("stops the system when a checkpoint fails while a batch waits for room", async () => {
    let failCheckpoint = (_error: Error): void => {};
    const gate = new Gate({
      arenaBytes: 4_096,
      runCheckpoint: () => {
        return new Promise<void>((_resolve, reject) => {
          failCheckpoint = reject;
        });
      },
    });
    const store = gate.cluster.store("counters");
    const settled: number[] = [];
    for (let index = 0; index < 8; index += 1) {
      store.put(keyOwnedBy(0, 2), "x".repeat(1_500)).then(
        () => settled.push(index),
        () => {},
      );
      await gate.system.settle();
    }
    const before = settled.length;
    expect(before).toBeLessThan(8);
    failCheckpoint(new Error("EIO in a checkpoint"));
    await expect(gate.system.settle()).rejects.toThrow(SystemStopped);
    expect(gate.system.stops).toEqual([
      expect.stringContaining("task 0 failed to checkpoint: EIO in a checkpoint (Error at "),
    ]);
    expect(settled).toHaveLength(before);
  });

  it("stops the system when the destination of a stream knows more than was sent", async () => {
    const gate = new Gate();
    const ask = gate.ask(0, "hello");
    await gate.system.settle();
    await ask;
    expect(() =>
      gate.cluster.driver(0).acknowledged(1, { applied: 99, durable: 99, resend: false }),
    ).toThrow(SystemStopped);
    expect(gate.system.stops).toHaveLength(1);
  });
});

describe("output gate — no room (D3)", () => {
  it("keeps the batch back and takes nothing more until a checkpoint has made room", async () => {
    let finishCheckpoint = (): void => {};
    const gate = new Gate({
      arenaBytes: 4_096,
      runCheckpoint: () => {
        return new Promise<void>((resolve) => {
          finishCheckpoint = resolve;
        });
      },
    });
    const store = gate.cluster.store("counters");
    const settled: number[] = [];
    const puts: Promise<unknown>[] = [];
    for (let index = 0; index < 8; index += 1) {
      const put = store.put(keyOwnedBy(0, 2), [index, "x".repeat(1_500)]);
      puts.push(put.then(() => settled.push(index)));
      await gate.system.settle();
    }
    const heldBack = gate.events.length;
    expect(settled.length).toBeLessThan(8);
    await gate.system.settle();
    expect(gate.events).toHaveLength(heldBack);
    for (let round = 0; round < 8; round += 1) {
      finishCheckpoint();
      await gate.system.settle();
    }
    await Promise.all(puts);
    expect(settled).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe("atomic operations (S2)", () => {
  it("a message that throws leaves nothing: counters and messages sent stay equal", async () => {
    const names = fc.constantFrom("a", "b", "a!", "b!");
    const property = fc.asyncProperty(fc.array(names, { maxLength: 30 }), async (messages) => {
      const gate = new Gate();
      const outcomes = messages.map((message, index) => {
        if (index % 3 === 0) gate.system.step();
        return gate.ask(0, message).then(
          () => 1,
          () => 0,
        );
      });
      await gate.system.settle();
      const applied = (await Promise.all(outcomes)).reduce((sum: number, one) => sum + one, 0);
      expect(applied).toBe(messages.filter((message) => !message.endsWith("!")).length);
      const counted = (task: number, table: number): number => {
        const [row] = gate.cluster.storage(task).page(table, {}, 1);
        return row === undefined ? 0 : Number(text(row.value));
      };
      expect([counted(0, oddTable), counted(0, evenTable)]).toEqual([applied, applied]);
      expect([counted(1, oddTable), counted(1, evenTable)]).toEqual([applied, applied]);
      const actions = gate.events.filter((event) => event.startsWith("action"));
      expect(actions).toHaveLength(2 * applied);
    });
    await check(property, { runs: 80 });
  });

  it("rows, outbox and mark of a message are in one frame, whatever a crash leaves", () => {
    const storages = [0, 1].map(() => MemoryStorage.create({ durability: "relaxed" }));
    const system = new ManualSystem();
    const declared = topology("gate", import.meta.url, {
      stores: { counters },
      agents: { relay: programEntry((turn, message) => relay(turn, message, [])) },
    });
    const cluster = new HostCluster(declared, {
      system: () => system,
      taskCount: 2,
      storage: (task) => storages[task] ?? MemoryStorage.create(),
    });
    for (let index = 0; index < 5; index += 1) {
      void cluster.thread(0).programPort.request(0, bytes("m"));
      system.run();
    }
    // Sources number what they send, destinations mark what they have applied: both from 1.
    const number = (storage: MemoryStorage, table: number): number => {
      const [row] = storage.page(table, {}, 1);
      return row === undefined ? 0 : new ByteReader(row.value).uint64();
    };
    const counted = (storage: MemoryStorage, table: number): number => {
      const [row] = storage.page(table, {}, 1);
      return row === undefined ? 0 : Number(text(row.value));
    };
    for (const [task, storage] of storages.entries()) {
      expect(storage.volatileFrames).toBe(5);
      for (let keepFrames = 0; keepFrames <= 5; keepFrames += 1) {
        const left = storage.crash({ keepFrames });
        expect([counted(left, oddTable), counted(left, evenTable)]).toEqual([
          keepFrames,
          keepFrames,
        ]);
        if (task === 1) expect(number(left, systemTable.marks)).toBe(keepFrames);
        else expect(Math.max(number(left, systemTable.outboxMeta), 1)).toBe(keepFrames + 1);
      }
    }
  });
});
