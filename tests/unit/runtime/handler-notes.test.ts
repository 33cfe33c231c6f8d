// Bugs here would look like a thread whose note names what another runs, or that seems to live when
// it does not.
import { describe, expect, it } from "vitest";
import {
  createNotesMemory,
  type HandlerNote,
  HandlerNotes,
  NotesReader,
} from "../../../runtime/handler-notes.js";

describe("handler notes", () => {
  it("are read as they were written, by thread, until they are cleared or wiped by a beat", () => {
    const memory = createNotesMemory(2);
    const threads = [0, 1, 2].map((thread) => new HandlerNotes(memory, thread));
    const reader = new NotesReader(memory);
    const read = (): HandlerNote[] => [0, 1, 2].map((thread) => reader.note(thread));
    const nothing = { kind: "nothing" };
    const longest = "n".repeat(64);
    threads[0]?.update(1, 16, 3);
    threads[1]?.node(2, 2 ** 33 + 7, longest, longest);
    threads[2]?.device(5);
    const node = { kind: "node", task: 2, arrivalNo: 2 ** 33 + 7, agent: longest, node: longest };
    const update = { kind: "update", task: 1, table: 16, update: 3 };
    expect(read()).toEqual([update, node, { kind: "device", task: 5 }]);
    threads[1]?.clear();
    threads[2]?.beat();
    expect(read()).toEqual([update, nothing, nothing]);
  });

  it("say who is watched and how often it has beaten, and whether somebody debugs", () => {
    const memory = createNotesMemory(1);
    const notes = new HandlerNotes(memory, 1);
    const reader = new NotesReader(memory);
    notes.beat();
    expect(reader.life(1)).toEqual({ watched: false, beats: 1 });
    notes.watch();
    expect(reader.life(1)).toEqual({ watched: true, beats: 2 });
    notes.unwatch();
    expect(reader.life(1)).toEqual({ watched: false, beats: 2 });
    expect(reader.life(0)).toEqual({ watched: false, beats: 0 });
    expect(reader.inspected).toBe(false);
    new HandlerNotes(memory, 0).inspected(true);
    expect(reader.inspected).toBe(true);
  });
});
