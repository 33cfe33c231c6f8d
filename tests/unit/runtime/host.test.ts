// Bugs here would look like packets that overtake each other, a section that silently disappears,
// or a reply that reaches a thread which never asked.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../base/byte-writer.js";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { Host } from "../../../runtime/host.js";
import { noBytes, operation } from "../../../runtime/lane-encoding.js";
import { readSections, section, writeSection } from "../../../runtime/packet.js";
import { topology } from "../../../runtime/topology.js";
import { InlineNetwork, type Transport } from "../../../runtime/transport.js";
import { HostCluster, planOf } from "../../support/host-cluster.js";
import { ManualSystem } from "../../support/manual-system.js";
import { bytes, text } from "../../support/storage-bytes.js";
import { anyStore, keyOwnedBy, programEntry } from "../../support/task-bench.js";

const bench = anyStore({
  push: (list: unknown, value: unknown) => [...(Array.isArray(list) ? list : []), value],
});
const declared = topology("hosts", import.meta.url, { stores: { bench } });

interface Posted {
  readonly to: number;
  readonly sections: readonly { kind: number; from: number; to: number }[];
}

/** A host whose packets are kept, and that can be given packets. */
function recorded(taskCount: number, threadCount: number) {
  const system = new ManualSystem();
  const posted: Posted[] = [];
  let receive = (_from: number, _packet: Uint8Array): void => {};
  const transport: Transport = {
    thread: 0,
    send: (to, packet) => {
      const sections: { kind: number; from: number; to: number }[] = [];
      readSections(packet, (kind, from, target) => sections.push({ kind, from, to: target }));
      posted.push({ to, sections });
    },
    onPacket: (receiver) => {
      receive = receiver;
    },
    close: () => {},
  };
  const bounds = {
    messagesMax: limits.laneMessagesMax,
    bytesMax: limits.laneBytesMax,
    whenFull: "wait",
  } as const;
  const host = new Host({
    plan: planOf(declared, taskCount, threadCount),
    transport,
    system,
    bounds,
  });
  const arrive = (kind: number, from: number, to: number, body: Uint8Array): void => {
    const packet = new ByteWriter();
    // cast: tests also write kinds that the protocol does not have
    writeSection(packet, kind as 1, from, to, body);
    receive(1, packet.finish());
  };
  return { host, system, posted, arrive };
}

describe("host — packets (H1)", () => {
  it("puts what one turn has for a thread into one packet, in the order it was written", () => {
    const { host, system, posted } = recorded(2, 1);
    const ask = (task: number): void => {
      host
        .lane(task)
        .request(operation.get, 16, bytes("k"), 1, noBytes)
        .catch(() => {});
    };
    ask(0);
    host.post(1, section.ack, 0, 1, bytes("1"));
    host.post(1, section.hello, 0, 1, bytes("2"));
    ask(1);
    ask(0);
    expect(posted).toEqual([]);
    system.run();
    expect(posted.map(({ to }) => to)).toEqual([1]);
    expect(posted[0]?.sections.map(({ kind, to }) => [kind, to])).toEqual([
      [section.ack, 1],
      [section.hello, 1],
      [section.requests, 0],
      [section.requests, 1],
    ]);
  });

  it("keeps one client's calls in order over several threads and turns", async () => {
    const system = new ManualSystem();
    const cluster = new HostCluster(declared, {
      system: () => system,
      taskCount: 4,
      threadCount: 2,
    });
    const store = cluster.store("bench");
    const keys = [0, 1, 2, 3].map((task) => keyOwnedBy(task, 4));
    const calls: Promise<unknown>[] = [];
    for (let index = 0; index < 40; index += 1) {
      calls.push(store.update("push", keys[index % 4], index));
      if (index % 7 === 0) system.step();
    }
    await system.settle();
    await Promise.all(calls);
    for (const [task, key] of keys.entries()) {
      const expected = Array.from({ length: 10 }, (_, index) => index * 4 + task);
      expect(await store.get(key)).toEqual(expected);
    }
  });
});

describe("host — what it does not run (H2)", () => {
  it("treats a section for a task of another thread as a broken invariant", () => {
    const { arrive } = recorded(2, 1);
    expect(() => arrive(section.requests, 0, 1, bytes("x"))).toThrow(
      "thread 0 does not run task 1",
    );
    expect(() => arrive(section.ack, 0, 1, new Uint8Array(9))).toThrow("does not run task 1");
  });

  it("treats a kind of section that nobody knows as a broken invariant", () => {
    expect(() => recorded(2, 1).arrive(77, 0, 0, noBytes)).toThrow("section kind 77");
  });

  it("has no lane to a task that does not exist", () => {
    expect(() => recorded(2, 1).host.lane(2)).toThrow("there is no task 2");
  });
});

describe("host — a thread that died", () => {
  function threads() {
    const systems = [new ManualSystem(), new ManualSystem(), new ManualSystem()];
    const cluster = new HostCluster(
      topology("hosts", import.meta.url, {
        stores: { bench },
        agents: {
          tell: programEntry((turn, message) => {
            turn.notify(0, message);
            return message;
          }),
        },
      }),
      {
        system: (thread) => systems[thread] ?? new ManualSystem(),
        taskCount: 2,
        threadCount: 2,
        delivery: (_from, to, deliver) => systems[to]?.later(deliver),
      },
    );
    const run = async (): Promise<void> => {
      for (let round = 0; round < 6; round += 1) {
        for (const system of systems) await system.settle();
      }
    };
    return { cluster, systems, run };
  }
  const exited = new PartitaError("TASK_EXITED", { taskIds: [0], threadId: 1, reason: "a test" });

  it("applies what it had sent, and tells nobody", async () => {
    const { cluster, systems, run } = threads();
    const key = keyOwnedBy(1, 2);
    const asked = cluster.thread(1).store("bench").put(key, "from the dead");
    systems[1]?.run();
    cluster.thread(1).host.lose("all", exited);
    await expect(asked).rejects.toBe(exited);
    // The request has arrived and waits in the mailbox when its sender dies.
    systems[2]?.step();
    cluster.thread(2).host.threadExited(1);
    await run();
    expect(await cluster.thread(2).store("bench").get(key)).toBe("from the dead");
  });

  it("rejects those who wait for its tasks and nobody else", async () => {
    const { cluster, run } = threads();
    const store = cluster.store("bench");
    const [gone, there] = [keyOwnedBy(0, 2), keyOwnedBy(1, 2)];
    const calls = [store.put(gone, 1), store.put(there, 1)];
    const lost: unknown[] = [];
    cluster.thread(0).host.onLost((tasks, error) => lost.push([tasks, error]));
    cluster.thread(0).host.lose([0], exited);
    await expect(calls[0]).rejects.toBe(exited);
    await expect(store.put(gone, 2)).rejects.toBe(exited);
    await Promise.all([run(), calls[1]]);
    expect(lost).toEqual([[[0], exited]]);
  });

  it("gives notices to the clients of the thread they are for", async () => {
    const { cluster, run } = threads();
    const heard: unknown[] = [];
    cluster.thread(0).host.onNotice((task, notice) => heard.push([task, text(notice)]));
    const replies = [1, 0].map((task) => cluster.thread(0).programPort.request(task, bytes("hi")));
    await run();
    expect((await Promise.all(replies)).map((reply) => text(reply))).toEqual(["hi", "hi"]);
    expect(heard.sort()).toEqual([
      [0, "hi"],
      [1, "hi"],
    ]);
  });
});

describe("inline network (X1, X2)", () => {
  it("hands over copies, in the order they were sent, to receivers that are there", () => {
    const system = new ManualSystem();
    const network = new InlineNetwork(system);
    const [one, two] = [network.endpoint(1), network.endpoint(2)];
    const received: unknown[] = [];
    two.onPacket((from, packet) => received.push([from, text(packet)]));
    const packet = bytes("a");
    one.send(2, packet);
    packet[0] = 0x7a;
    one.send(2, bytes("b"));
    one.send(3, bytes("to nobody"));
    expect(received).toEqual([]);
    system.run();
    expect(received).toEqual([
      [1, "a"],
      [1, "b"],
    ]);
    two.close();
    one.send(2, bytes("c"));
    system.run();
    expect(received).toHaveLength(2);
  });
});
