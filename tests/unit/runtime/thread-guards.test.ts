// What threads note for the watchdog. Bugs here would look like a stop that names the wrong
// handler, or one because the device was slow.
import { describe, expect, it } from "vitest";
import { createDiskMemory } from "../../../runtime/disk-state.js";
import {
  createNotesMemory,
  type HandlerNote,
  HandlerNotes,
  NotesReader,
} from "../../../runtime/handler-notes.js";
import { Task } from "../../../runtime/task.js";
import { ThreadGuards } from "../../../runtime/thread-guards.js";
import { topology } from "../../../runtime/topology.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { hookedStorage } from "../../support/hooked-storage.js";
import { HostCluster } from "../../support/host-cluster.js";
import { ManualSystem } from "../../support/manual-system.js";
import { anyStore } from "../../support/task-bench.js";

const nothing: HandlerNote = { kind: "nothing" };
const device: HandlerNote = { kind: "device", task: 0 };

describe("handler notes — of a task", () => {
  it("name the update that runs and the wait for the device, and nothing else", async () => {
    const memory = createNotesMemory(0);
    const reader = new NotesReader(memory);
    const seen: (readonly [string, HandlerNote])[] = [];
    const note = (what: string): void => {
      seen.push([what, reader.note(0)]);
    };
    const counters = anyStore({
      add: () => {
        note("add");
        return 1;
      },
      fail: () => {
        note("fail");
        throw new RangeError("no");
      },
    });
    const system = new ManualSystem();
    const cluster = new HostCluster(topology("noted", import.meta.url, { stores: { counters } }), {
      system: () => system,
      taskCount: 1,
      task: (parts) => new Task({ ...parts, notes: new HandlerNotes(memory, 0) }),
      storage: () => hookedStorage(MemoryStorage.create(), note),
    });
    const store = cluster.store("counters");
    seen.length = 0;
    const add = store.update("add", "a");
    system.run();
    expect(reader.note(0)).toEqual(nothing);
    const fail = store.update("fail", "a").catch((error: Error) => error.message);
    system.run();
    expect(reader.note(0)).toEqual(nothing);
    const put = store.put("b", 2);
    cluster.driver(0).flush();
    system.run();
    await Promise.all([add, fail, put]);

    const update = (number: number): HandlerNote => {
      return { kind: "update", task: 0, table: 16, update: number };
    };
    const notesOf = (what: string): HandlerNote[] => {
      return seen.flatMap(([name, found]) => (name === what ? [found] : []));
    };
    expect([notesOf("add"), notesOf("fail")]).toEqual([[update(0)], [update(1)]]);
    expect(notesOf("append")).toEqual([device, device]);
    expect(notesOf("sync")).toEqual([device, device]);
    expect(notesOf("flush")).toEqual([device]);
  });
});

describe("thread guards — beats", () => {
  function guarded(beatMs: number) {
    const system = new ManualSystem();
    const notes = createNotesMemory(1);
    const disk = {
      directory: "d",
      diskLowBytes: 0,
      diskReserveBytes: 0,
      memory: createDiskMemory(),
    };
    const spec = { disk, notes, beatMs, suspectHints: { 2: 77 } };
    const guards = new ThreadGuards(system, spec, 1);
    return { system, guards, reader: new NotesReader(notes) };
  }

  it("come from the start of the tasks to their end", () => {
    const { system, guards, reader } = guarded(100);
    system.advance(1_000);
    expect(reader.life(1)).toEqual({ watched: false, beats: 0 });
    guards.start();
    for (let beat = 0; beat < 5; beat += 1) system.advance(100);
    expect(reader.life(1)).toEqual({ watched: true, beats: 6 });
    guards.close();
    system.advance(100);
    expect(reader.life(1)).toEqual({ watched: false, beats: 6 });
  });

  it("do not come where nobody watches", () => {
    const { system, guards, reader } = guarded(0);
    guards.start();
    system.advance(1_000);
    expect(reader.life(1)).toEqual({ watched: false, beats: 0 });
  });

  it("leave the note of nodes that go on until the turn of the event loop is over", () => {
    const { system, guards, reader } = guarded(100);
    const port = guards.portOf(2);
    port.goesOn("transfer", "debit");
    port.goesOn("transfer", "credit");
    expect(reader.note(1)).toEqual({ kind: "nodes", task: 2, agent: "transfer", node: "credit" });
    system.run();
    expect(reader.note(1)).toEqual(nothing);
    port.entered(9, "transfer", "debit");
    expect(reader.note(1)).toMatchObject({ kind: "node", arrivalNo: 9 });
    port.left();
    expect(reader.note(1)).toEqual(nothing);
  });

  it("hand the row of an earlier stop to its task alone", () => {
    const { guards } = guarded(100);
    expect([1, 2].map((task) => guards.portOf(task).suspectHint)).toEqual([undefined, 77]);
  });
});
