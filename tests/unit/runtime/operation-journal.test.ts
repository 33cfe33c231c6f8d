// Bugs here would look like a reply given to another operation, or a read that a later run makes
// anew although a write that followed it took effect.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../base/byte-writer.js";
import { limits } from "../../../base/limits.js";
import { operationId, operationIndex } from "../../../runtime/operation-id.js";
import { OperationJournal, type RecalledRow } from "../../../runtime/operation-journal.js";
import {
  noBytes,
  type Reply,
  type Stamp,
  stampKind,
  status,
} from "../../../runtime/lane-encoding.js";

const prefix = new Uint8Array(24).fill(7);
const ok = (text: string): Reply => ({ status: status.ok, bytes: Buffer.from(text) });

/** Owners of operations: they record what is sent, unless told not to. */
class Owners {
  readonly rows: RecalledRow[] = [];
  readonly sent: Stamp[] = [];
  takesEffect = true;

  async write(journal: OperationJournal, task: number, digest: number, reply: string) {
    const answered = await journal.write(task, journal.claim(digest), async (stamp) => {
      this.sent.push(stamp);
      if (this.takesEffect)
        this.rows.push({ task, key: stamp.id, value: row(digest, reply, stamp) });
      else throw new Error("lost");
      return ok(reply);
    });
    return Buffer.from(answered.bytes).toString();
  }
}

function row(digest: number, reply: string, stamp: Stamp): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(digest);
  writer.u8(status.ok);
  writer.lengthPrefixed(Buffer.from(reply));
  writer.bytes(stamp.reads);
  return writer.finish();
}

async function read(journal: OperationJournal, digest: number, found: string): Promise<string> {
  return Buffer.from((await journal.read(digest, async () => ok(found))).bytes).toString();
}

describe("operation journal — a first run", () => {
  it("numbers operations from 0, reads included, as sent by nobody before", async () => {
    const owners = new Owners();
    const journal = new OperationJournal(prefix);
    await owners.write(journal, 0, 11, "a");
    await read(journal, 12, "r");
    await owners.write(journal, 1, 13, "b");
    expect(owners.sent.map(({ id }) => operationIndex(id))).toEqual([0, 2]);
    expect(owners.sent.map(({ kind }) => kind)).toEqual([stampKind.first, stampKind.first]);
    expect([...journal.touched]).toEqual([
      [0, [0]],
      [1, [2]],
    ]);
  });

  it("sends a read along with every write until one of them is acknowledged", async () => {
    const owners = new Owners();
    const journal = new OperationJournal(prefix);
    await read(journal, 1, "r");
    const both = [owners.write(journal, 0, 2, "a"), owners.write(journal, 0, 3, "b")];
    await Promise.all(both);
    await owners.write(journal, 0, 4, "c");
    expect(owners.sent.map(({ reads }) => reads.length > 0)).toEqual([true, true, false]);
  });

  it("sends it again when the write that carried it was refused", async () => {
    const journal = new OperationJournal(prefix);
    await read(journal, 1, "r");
    const stamps: Stamp[] = [];
    for (const outcome of [status.error, status.ok]) {
      await journal.write(0, journal.claim(2), async (stamp) => {
        stamps.push(stamp);
        return { status: outcome, bytes: noBytes };
      });
    }
    expect(stamps.map(({ reads }) => reads.length > 0)).toEqual([true, true]);
  });

  it("records no reads beyond the bound", async () => {
    const owners = new Owners();
    const journal = new OperationJournal(prefix);
    await read(journal, 1, "x".repeat(limits.operationReadBytesMax));
    await owners.write(journal, 0, 2, "a");
    expect(owners.sent[0]?.reads.length).toBe(0);
  });
});

describe("operation journal — a later run", () => {
  it("gets recorded replies, and reads as they were, without sending anything", async () => {
    const owners = new Owners();
    const first = new OperationJournal(prefix);
    await read(first, 1, "before");
    await owners.write(first, 2, 2, "written");
    const later = new OperationJournal(prefix);
    later.replay(owners.rows);
    expect(await read(later, 1, "after")).toBe("before");
    expect(await owners.write(later, 2, 2, "written again")).toBe("written");
    expect(owners.sent).toHaveLength(1);
    // What it did not send itself is forgotten all the same when it is done.
    expect([...later.touched]).toEqual([[2, [1]]]);
  });

  it("reads anew what no write followed; a differing operation is a new one", async () => {
    const owners = new Owners();
    const first = new OperationJournal(prefix);
    await owners.write(first, 0, 1, "a");
    await read(first, 2, "before");
    const later = new OperationJournal(prefix);
    later.replay(owners.rows);
    expect(await owners.write(later, 0, 99, "other")).toBe("other");
    expect(await read(later, 2, "after")).toBe("after");
    expect(owners.sent.map(({ kind }) => kind)).toEqual([stampKind.first, stampKind.again]);
  });

  it("finds reads in a write that took effect when the one before it did not", async () => {
    const owners = new Owners();
    const first = new OperationJournal(prefix);
    await read(first, 1, "before");
    owners.takesEffect = false;
    const lost = owners.write(first, 0, 2, "lost");
    owners.takesEffect = true;
    const kept = owners.write(first, 1, 3, "kept");
    await Promise.allSettled([lost, kept]);
    const later = new OperationJournal(prefix);
    later.replay(owners.rows);
    expect(await read(later, 1, "after")).toBe("before");
    expect(await owners.write(later, 0, 2, "now")).toBe("now");
    expect(await owners.write(later, 1, 3, "again")).toBe("kept");
  });

  it("keeps replayed reads for a third run when the second does something else", async () => {
    const owners = new Owners();
    const first = new OperationJournal(prefix);
    await read(first, 1, "before");
    await owners.write(first, 0, 2, "a");
    const second = new OperationJournal(prefix);
    second.replay(owners.rows);
    await read(second, 1, "after");
    await owners.write(second, 0, 3, "b");
    const third = new OperationJournal(prefix);
    // The owner's row of that number is the second run's.
    third.replay(owners.rows.slice(-1));
    expect(await read(third, 1, "much later")).toBe("before");
  });
});

describe("operation ids", () => {
  it("sort by their number, and differ from those of any other node invocation", () => {
    const ids = [0, 1, 255, 256, 65_536].map((index) => operationId(prefix, index));
    expect([...ids].sort(Buffer.compare)).toEqual(ids);
    expect(ids.map(operationIndex)).toEqual([0, 1, 255, 256, 65_536]);
  });
});

describe("operation journal — what a node looks for in it", () => {
  /** A first run that wrote to task 2 at the places 1 and 2, having read at 0. */
  async function earlierRun(): Promise<Owners> {
    const owners = new Owners();
    const first = new OperationJournal(prefix);
    await read(first, 1, "before");
    await owners.write(first, 2, 2, "written");
    await owners.write(first, 2, 3, "too");
    return owners;
  }

  it("tells a run that has records from one that has none, or was not asked for", async () => {
    const journal = new OperationJournal(prefix);
    expect(journal.isReplayed).toBe(false);
    journal.replay([]);
    expect(journal.isReplayed).toBe(false);
    journal.replay((await earlierRun()).rows);
    expect(journal.isReplayed).toBe(true);
  });

  it("finds an operation of an earlier run ahead of its place, or at any", async () => {
    const later = new OperationJournal(prefix);
    expect([later.earlier(0, 1), later.allEarlier(3)]).toEqual([undefined, []]);
    later.replay((await earlierRun()).rows);
    expect(textOf(later.earlier(1, 2))).toBe("written");
    expect(later.earlier(0, 2)).toBeUndefined();
    expect(later.allEarlier(3).map(textOf)).toEqual(["too"]);
    expect(later.allEarlier(99)).toEqual([]);
    later.claim(1);
    expect(textOf(later.earlier(0, 2))).toBe("written");
    expect(later.allEarlier(1).map(textOf)).toEqual(["before"]);
  });

  it("expects a record where none is known, and notes once where one is", async () => {
    const later = new OperationJournal(prefix);
    later.replay((await earlierRun()).rows);
    later.claim(1);
    later.expect(2, later.claim(2));
    expect([...later.touched]).toEqual([[2, [1, 2]]]);
    later.expect(5, later.claim(99));
    expect([...later.touched]).toEqual([
      [2, [1, 2]],
      [5, [2]],
    ]);
  });

  it("reads at once what is there, or what an earlier run had read", async () => {
    const owners = new Owners();
    const first = new OperationJournal(prefix);
    const now = (journal: OperationJournal, found: string): string => {
      return Buffer.from(journal.readNow(1, () => Buffer.from(found))).toString();
    };
    expect(now(first, "before")).toBe("before");
    await owners.write(first, 0, 2, "a");
    const later = new OperationJournal(prefix);
    later.replay(owners.rows);
    expect(now(later, "after")).toBe("before");
    expect(now(later, "after")).toBe("after");
  });
});

function textOf(reply: Reply | undefined): string | undefined {
  return reply && Buffer.from(reply.bytes).toString();
}
