// Bugs here would look like a message applied twice after a crash, one that is never missed, or a
// source that forgets what a power cut can still take from its destination.
import { describe, expect, it } from "vitest";
import { Marks } from "../../../runtime/marks.js";
import { MemoryStorage } from "../../../store/memory-storage.js";

function opened(storage = MemoryStorage.create()) {
  let version = storage.versionLast;
  const marks = new Marks(storage, 1);
  const commit = (): void => {
    const writes = marks.writes(() => {
      version += 1;
      return version;
    });
    storage.append(writes);
    storage.sync();
    storage.publish();
    marks.commit();
  };
  /** What may be said of a source. */
  const said = (source: number) => [
    marks.applied(source),
    marks.committed(source),
    marks.durable(source),
  ];
  return { storage, marks, commit, said };
}

describe("marks — what a message's number says (K2)", () => {
  it("tells the next message from a duplicate and from one that comes too early", () => {
    const { marks } = opened();
    expect([marks.arrival(4, 1), marks.arrival(4, 2)]).toEqual(["next", "gap"]);
    marks.advance(4, 1);
    marks.advance(4, 2);
    expect([0, 1, 2, 3, 4].map((number) => marks.arrival(4, number))).toEqual([
      "duplicate",
      "duplicate",
      "duplicate",
      "next",
      "gap",
    ]);
    expect(marks.arrival(5, 1)).toBe("next");
  });

  it("asks once for what is missing, again when there was progress or a new beginning (K4)", () => {
    const { marks } = opened();
    expect([marks.asksAgain(4), marks.asksAgain(4), marks.asksAgain(5)]).toEqual([
      true,
      false,
      true,
    ]);
    marks.advance(4, 1);
    expect([marks.asksAgain(4), marks.asksAgain(4)]).toEqual([true, false]);
    marks.forgetAsked(4);
    expect(marks.asksAgain(4)).toBe(true);
  });
});

describe("marks — with the frame (K1, K3)", () => {
  it("says to others only what a frame has made visible, and in this mode durable", () => {
    const { marks, commit, said } = opened();
    marks.advance(1, 1);
    marks.advance(1, 2);
    expect([said(1), marks.changed]).toEqual([[2, 0, 0], true]);
    commit();
    expect([said(1), marks.changed]).toEqual([[2, 2, 2], false]);
    expect([marks.takeMoved(), marks.takeMoved()]).toEqual([[1], []]);
  });

  it("calls durable what a flush has covered, and names each source once", () => {
    const { storage, marks, commit, said } = opened(
      MemoryStorage.create({ durability: "interval" }),
    );
    marks.advance(1, 1);
    commit();
    marks.advance(1, 2);
    marks.advance(2, 1);
    commit();
    expect([said(1), said(2), marks.takeMoved()]).toEqual([[2, 2, 0], [1, 1, 0], []]);
    storage.flush();
    marks.settle();
    expect([said(1), said(2), marks.takeMoved()]).toEqual([
      [2, 2, 2],
      [1, 1, 1],
      [1, 2],
    ]);
    marks.settle();
    expect(marks.takeMoved()).toEqual([]);
  });

  it("knows what a sync before the frame has covered: not the frame itself", () => {
    const { storage, marks, commit, said } = opened(
      MemoryStorage.create({ durability: "relaxed" }),
    );
    marks.advance(1, 1);
    commit();
    // As a swap of arenas does when it makes room for the next frame.
    storage.flush();
    marks.advance(1, 2);
    commit();
    expect([said(1), marks.takeMoved()]).toEqual([[2, 2, 2 - 1], [1]]);
    marks.settle();
    expect(marks.durable(1)).toBe(1);
  });

  it("writes one row for each source that moved, and none for the others", () => {
    const { marks, commit } = opened();
    for (const source of [1, 2, 3]) marks.advance(source, 1);
    commit();
    marks.advance(2, 2);
    marks.advance(2, 3);
    expect(marks.writes(() => 9)).toHaveLength(1);
  });

  it("comes back as it was in the newest durable frame, none the wiser of the others", () => {
    const { storage, marks, commit } = opened();
    marks.advance(1, 1);
    marks.advance(700, 1);
    commit();
    marks.advance(1, 2);
    const again = opened(storage.crash());
    expect([again.said(1), again.said(700)]).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(again.marks.arrival(1, 2)).toBe("next");
  });
});
