// Bugs here would look like a message applied twice after a crash, or one that is never missed.
import { describe, expect, it } from "vitest";
import { Marks } from "../../../runtime/marks.js";
import { MemoryStorage } from "../../../store/memory-storage.js";

function opened(storage = MemoryStorage.create()) {
  let version = storage.versionLast;
  const marks = new Marks(storage);
  const commit = (): void => {
    const writes = marks.writes(() => {
      version += 1;
      return version;
    });
    storage.append(writes);
    storage.sync();
    storage.publish();
    marks.committed();
  };
  return { storage, marks, commit };
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
});

describe("marks — with the frame (K1)", () => {
  it("says to others only what a frame has made durable", () => {
    const { marks, commit } = opened();
    marks.advance(1, 1);
    marks.advance(1, 2);
    expect([marks.applied(1), marks.durable(1), marks.changed]).toEqual([2, 0, true]);
    commit();
    expect([marks.applied(1), marks.durable(1), marks.changed]).toEqual([2, 2, false]);
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
    const again = opened(storage.crash()).marks;
    expect([again.applied(1), again.durable(1), again.applied(700)]).toEqual([1, 1, 1]);
    expect(again.arrival(1, 2)).toBe("next");
  });
});
