// Bugs here would look like a process that is ended although nothing hangs (after a stop signal,
// under a debugger, on a slow device), or one that hangs for ever; or like the wrong name.
import { describe, expect, it } from "vitest";
import { createNotesMemory, HandlerNotes, NotesReader } from "../../../runtime/handler-notes.js";
import { diagnosisOf, type Suspect } from "../../../runtime/suspect-file.js";
import { beatMsOf, Watchdog } from "../../../runtime/watchdog.js";
import { ManualSystem } from "../../support/manual-system.js";

const handlerTimeoutMs = 1_000;
const beatMs = 100;
/** Looks in a row without a beat that it takes. */
const looksMax = 11;

/** A watchdog over the launching thread and two task threads; tasks 0 to 3 are dealt to them. */
function watched() {
  const system = new ManualSystem();
  const memory = createNotesMemory(2);
  const threads = [0, 1, 2].map((thread) => new HandlerNotes(memory, thread));
  const suspects: Suspect[] = [];
  const watchdog = new Watchdog(
    {
      handlerTimeoutMs,
      beatMs,
      pid: 77,
      tasks: [[], [0, 2], [1, 3]],
      tables: { 16: { store: "counters", updates: ["add", "spin"] } },
    },
    new NotesReader(memory),
    system,
    (suspect) => suspects.push(suspect),
  );
  watchdog.start();
  const [launching, first, second] = threads;
  if (launching === undefined || first === undefined || second === undefined)
    throw new RangeError();
  /** So many looks; the threads given beat before each. */
  const looks = (count: number, ...beating: HandlerNotes[]): Suspect | undefined => {
    for (let look = 0; look < count; look += 1) {
      for (const notes of beating) notes.beat();
      system.advance(beatMs);
    }
    return suspects[0];
  };
  return { system, launching, first, second, looks };
}

describe("watchdog — a stuck handler", () => {
  it("is named: the update, its store, its task, and since when", () => {
    const { system, first, second, looks } = watched();
    first.watch();
    second.watch();
    looks(3, first, second);
    const sinceMs = system.now();
    second.update(3, 16, 1);
    expect(looks(looksMax - 1, first)).toBeUndefined();
    const suspect = looks(1, first);
    expect(suspect).toEqual({
      kind: "update",
      task: 3,
      store: "counters",
      update: "spin",
      thread: 2,
      sinceMs,
      timeMs: sinceMs + looksMax * beatMs,
      handlerTimeoutMs,
      pid: 77,
    });
    expect(suspect && diagnosisOf(suspect)).toBe(
      'update "spin" of store "counters" (task 3) has run on thread 2 for more than 1000 ms ' +
        "without a pause",
    );
  });

  it("is named: the node, its agent, and its row, whatever the number", () => {
    for (const arrivalNo of [1, 2 ** 31 - 1, 2 ** 31, 2 ** 45 + 12_345]) {
      const { first, looks } = watched();
      first.watch();
      first.node(2, arrivalNo, "transfer", "debit");
      const suspect = looks(looksMax + 1);
      expect(suspect).toMatchObject({ kind: "node", task: 2, arrivalNo });
      expect(suspect && diagnosisOf(suspect)).toContain(
        'node "debit" of agent "transfer" (task 2)',
      );
    }
  });

  it("is named as one of several when nodes went on after what they waited for", () => {
    const { launching, looks } = watched();
    launching.watch();
    launching.nodes(1, "transfer", "debit");
    const suspect = looks(looksMax + 1);
    expect(suspect).toMatchObject({ kind: "nodes", task: 1, agent: "transfer", node: "debit" });
    expect(suspect && diagnosisOf(suspect)).toContain("or another that went on with it");
  });

  it("on a task thread may have no name: it is filed with the first task", () => {
    const { second, looks } = watched();
    second.watch();
    second.update(3, 16, 0);
    second.clear();
    expect(looks(looksMax + 1)).toMatchObject({ kind: "unknown", task: 1, thread: 2 });
  });

  it("on the launching thread stops the process only when it is one", () => {
    const { launching, looks } = watched();
    launching.watch();
    expect(looks(5 * looksMax)).toBeUndefined();
    launching.node(0, 9, "a", "b");
    expect(looks(looksMax - 1)).toBeUndefined();
    expect(looks(1)).toMatchObject({ kind: "node", thread: 0 });
  });
});

describe("watchdog — what is no stuck handler", () => {
  it("a thread that beats late, again and again", () => {
    const { first, looks } = watched();
    first.watch();
    for (let round = 0; round < 20; round += 1) {
      first.update(0, 16, 0);
      looks(looksMax - 1);
      expect(looks(1, first)).toBeUndefined();
    }
  });

  it("a process that stood still: the clocks jump, the looks do not", () => {
    const { system, first, looks } = watched();
    first.watch();
    first.update(0, 16, 0);
    looks(looksMax - 2);
    system.nowMs += 3_600_000;
    system.elapsedMs += 3_600_000;
    // The timer of the watchdog is overdue and fires once, before the thread gets to beat.
    system.advance(beatMs);
    expect(looks(1, first)).toBeUndefined();
  });

  it("a thread that waits for its device", () => {
    const { first, looks } = watched();
    first.watch();
    first.device(0);
    expect(looks(10 * looksMax)).toBeUndefined();
  });

  it("a thread that has not begun, or has ended", () => {
    const { first, second, looks } = watched();
    first.watch();
    first.update(0, 16, 0);
    first.unwatch();
    second.update(1, 16, 0);
    expect(looks(10 * looksMax)).toBeUndefined();
  });

  it("a thread under a debugger", () => {
    const { launching, first, looks } = watched();
    first.watch();
    first.update(0, 16, 0);
    launching.inspected(true);
    expect(looks(10 * looksMax)).toBeUndefined();
    launching.inspected(false);
    expect(looks(looksMax)).toMatchObject({ kind: "update", update: "add" });
  });

  it("what was noted and has let the event loop turn", () => {
    const { launching, looks } = watched();
    launching.watch();
    launching.node(0, 9, "a", "b");
    expect(looks(10 * looksMax, launching)).toBeUndefined();
    expect(looks(10 * looksMax)).toBeUndefined();
  });
});

describe("watchdog — pace", () => {
  it("is a tenth of the limit, at most a quarter of a second, and nothing without one", () => {
    expect([30_000, 1_000, 0].map(beatMsOf)).toEqual([250, 100, 0]);
  });
});
