// Bugs here would look like a reply given to the wrong caller, calls that overtake each other, or a
// window that lets everything through.
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { ByteWriter } from "../../../base/byte-writer.js";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { Lane, type LaneBounds } from "../../../runtime/lane.js";
import {
  noBytes,
  operation,
  Request,
  requestHeaderBytes,
  status,
  writeReply,
} from "../../../runtime/lane-encoding.js";
import { draftUpdateOfOne } from "../../../runtime/request-draft.js";
import { string } from "../../../store/key.js";

const bounds: LaneBounds = { messagesMax: 4, bytesMax: 1_000, whenFull: "wait" };

function lane(changes: Partial<LaneBounds> = {}): Lane {
  return new Lane(3, { ...bounds, ...changes }, () => {});
}

function put(to: Lane, text: string, keyHash = 7) {
  const bytes = new TextEncoder().encode(text);
  return to.request(operation.put, 16, bytes, keyHash, noBytes);
}

/** Keys of the requests that a flush would send now. */
function flushed(from: Lane): string[] {
  const reader = new ByteReader(from.takeBody());
  const keys: string[] = [];
  while (!reader.done) {
    reader.skip(3);
    const keyLength = reader.u16();
    const argumentLength = reader.u32();
    keys.push(new TextDecoder().decode(reader.bytes(keyLength)));
    reader.skip(argumentLength);
  }
  return keys;
}

function replies(...texts: string[]): Uint8Array {
  const body = new ByteWriter();
  for (const text of texts) writeReply(body, status.ok, new TextEncoder().encode(text));
  return body.finish();
}

async function textOf(reply: ReturnType<Lane["request"]>): Promise<string> {
  return new TextDecoder().decode((await reply).bytes);
}

describe("lane — order", () => {
  it("sends requests in the order of the calls and gives the n-th reply to the n-th", async () => {
    const to = lane();
    const calls = ["a", "b", "c"].map((key) => put(to, key));
    expect(flushed(to)).toEqual(["a", "b", "c"]);
    to.receive(replies("1", "2"));
    to.receive(replies("3"));
    expect(await Promise.all(calls.map(textOf))).toEqual(["1", "2", "3"]);
  });

  it("keeps the place of callers that wait for room", async () => {
    const to = lane({ messagesMax: 2 });
    const calls = ["a", "b", "c", "d"].map((key) => put(to, key));
    expect(flushed(to)).toEqual(["a", "b"]);
    to.receive(replies("1"));
    expect(flushed(to)).toEqual(["c"]);
    to.receive(replies("2", "3"));
    expect(flushed(to)).toEqual(["d"]);
    to.receive(replies("4"));
    expect(await Promise.all(calls.map(textOf))).toEqual(["1", "2", "3", "4"]);
  });

  it("treats a reply without a request as a broken invariant", () => {
    expect(() => lane().receive(replies("1"))).toThrow("replied to no request");
  });
});

describe("lane — judging replies", () => {
  it("judges a reply at once, and once more on the caller's way when that throws", async () => {
    const to = lane();
    let judged = 0;
    const call = to.call(operation.update, 16, noBytes, 7, noBytes, () => {
      judged += 1;
      if (judged === 1) throw new RangeError("not here");
      throw new RangeError("where the caller awaits");
    });
    to.receive(replies("1"));
    expect([judged, to.pending]).toEqual([1, 0]);
    await expect(call).rejects.toThrow("where the caller awaits");
  });

  it("lets a judge call again: his reply is the next one's, not his own", async () => {
    const to = lane();
    let second: ReturnType<Lane["request"]> | undefined;
    const first = to.call(operation.update, 16, noBytes, 7, noBytes, () => {
      second = put(to, "b");
      return "first";
    });
    to.receive(replies("1"));
    to.receive(replies("2"));
    expect(await first).toBe("first");
    if (second === undefined) throw new Error("nobody judged");
    expect(await textOf(second)).toBe("2");
  });
});

describe("lane — bounds", () => {
  it("refuses with MAILBOX_FULL when asked to, and sends nothing of it", async () => {
    const to = lane({ messagesMax: 1, whenFull: "reject" });
    void put(to, "a");
    const refused = await put(to, "b").catch((error: unknown) => error);
    expect(PartitaError.is(refused, "MAILBOX_FULL")).toBe(true);
    if (PartitaError.is(refused, "MAILBOX_FULL")) {
      expect(refused.details).toEqual({ taskId: 3, capacity: 1 });
    }
    expect(flushed(to)).toEqual(["a"]);
  });

  it("counts bytes as well as requests", () => {
    const to = lane({ bytesMax: 10 });
    void put(to, "a long key that fills it");
    void put(to, "b");
    expect(flushed(to)).toEqual(["a long key that fills it"]);
  });
});

describe("lane — bytes that wait", () => {
  const short = new Uint8Array(1_000);
  /** Fills what `short` leaves: a key is not copied before it is sent, so it costs no memory. */
  const rest = new Uint8Array(limits.laneWaitingBytesMax - short.length - 2 * requestHeaderBytes);

  function putKey(to: Lane, key: Uint8Array) {
    return to.request(operation.put, 16, key, 7, noBytes).catch((error: unknown) => error);
  }

  function fill(to: Lane): void {
    for (const key of [noBytes, short, rest]) void putKey(to, key);
  }

  it("are bounded too: callers beyond are refused, until some have been sent", async () => {
    const to = lane({ messagesMax: 1 });
    fill(to);
    expect(PartitaError.is(await putKey(to, short), "MAILBOX_FULL")).toBe(true);
    expect(to.pending).toBe(3);

    to.receive(replies("1"));
    void putKey(to, short);
    expect(to.pending).toBe(3);
    expect(PartitaError.is(await putKey(to, noBytes), "MAILBOX_FULL")).toBe(true);
  });

  it("are forgotten with a task that is gone", () => {
    const to = lane({ messagesMax: 1 });
    fill(to);
    to.lose(new PartitaError("TASK_EXITED", { taskIds: [3], threadId: 1, reason: "test" }));
    to.reopen();
    fill(to);
    expect(to.pending).toBe(3);
  });
});

describe("lane — room for a call of several requests", () => {
  it("refuses all of them where one would be refused, and counts nothing", () => {
    const to = lane({ messagesMax: 4, whenFull: "reject" });
    void put(to, "a");
    expect(() => to.assertRoom(3, 30)).not.toThrow();
    expect(() => to.assertRoom(4, 40)).toThrow("task 3");
    expect(() => to.assertRoom(2, 5_000)).toThrow("task 3");
    expect(to.pending).toBe(1);
  });

  it("has room beyond the window where callers wait, but not for ever", () => {
    const to = lane({ messagesMax: 4 });
    expect(() => to.assertRoom(1_000, 5_000)).not.toThrow();
    expect(() => to.assertRoom(limits.laneWaitingMax + 5, 5_000)).toThrow("task 3");
  });

  it("counts the bytes of those that wait: a call of several is refused whole", () => {
    const to = lane({ messagesMax: 1 });
    void put(to, "a");
    const { laneWaitingBytesMax } = limits;
    expect(() => to.assertRoom(2, laneWaitingBytesMax)).not.toThrow();
    expect(() => to.assertRoom(2, laneWaitingBytesMax + 1)).toThrow("task 3");
    void put(to, "b");
    expect(() => to.assertRoom(2, laneWaitingBytesMax)).toThrow("task 3");
  });

  it("refuses with what the lane was lost with", () => {
    const to = lane();
    const gone = new PartitaError("TASK_EXITED", { taskIds: [3], threadId: 1, reason: "test" });
    to.lose(gone);
    expect(() => to.assertRoom(1, 10)).toThrow(gone);
  });
});

describe("lane — own writes", () => {
  it("counts a write until its reply has come, one that waits for room too", () => {
    const to = lane({ messagesMax: 1 });
    void put(to, "a", 7);
    void put(to, "b", 8);
    expect([to.pendingWrites(7), to.pendingWrites(8), to.writes]).toEqual([1, 1, 2]);
    to.receive(replies("1"));
    expect([to.pendingWrites(7), to.pendingWrites(8), to.writes]).toEqual([0, 1, 1]);
    to.receive(replies("2"));
    expect([to.pendingWrites(7), to.pendingWrites(8), to.writes]).toEqual([0, 0, 0]);
  });

  it("counts a clear for every key and a get for none", () => {
    const to = lane();
    void to.request(operation.get, 16, noBytes, 7, noBytes);
    expect(to.pendingWrites(7)).toBe(0);
    void to.request(operation.clear, 16, noBytes, 0, noBytes);
    expect(to.pendingWrites(7)).toBe(1);
    expect(to.pendingWrites(4_000_000_000)).toBe(1);
  });
});

describe("lane — a task that is gone", () => {
  const gone = new PartitaError("TASK_EXITED", { taskIds: [3], threadId: 1, reason: "test" });

  it("rejects all who wait, later callers too, and counts no writes any more", async () => {
    const to = lane({ messagesMax: 1 });
    const calls = [put(to, "a"), put(to, "b")];
    to.lose(gone);
    const later = put(to, "c");
    for (const call of [...calls, later]) {
      expect(await call.catch((error: unknown) => error)).toBe(gone);
    }
    expect([to.pending, to.writes]).toEqual([0, 0]);
    expect(flushed(to)).toEqual([]);
  });

  it("drops replies that come when their callers have been told already", async () => {
    const to = lane();
    const call = put(to, "a");
    expect(flushed(to)).toEqual(["a"]);
    to.lose(gone);
    expect(await call.catch((error: unknown) => error)).toBe(gone);
    to.receive(replies("1"));
    expect([to.pending, to.writes]).toEqual([0, 0]);
  });

  it("counts a write that is held to be sent again", async () => {
    const to = lane();
    const call = put(to, "a");
    to.lose(gone);
    expect(await call.catch((error: unknown) => error)).toBe(gone);
    const release = to.hold(operation.put, 7);
    expect([to.pendingWrites(7), to.pendingWrites(8), to.writes]).toEqual([1, 0, 1]);
    to.reopen();
    const again = put(to, "a");
    release();
    expect(to.pendingWrites(7)).toBe(1);
    to.receive(replies("1"));
    expect(await textOf(again)).toBe("1");
    expect([to.pendingWrites(7), to.writes]).toEqual([0, 0]);
  });

  it("serves again after the task was started again", async () => {
    const to = lane();
    to.lose(gone);
    to.reopen();
    const call = put(to, "a");
    expect(flushed(to)).toEqual(["a"]);
    to.receive(replies("1"));
    expect(await textOf(call)).toBe("1");
  });
});

describe("lane — a request that stands in a draft", () => {
  function update(to: Lane, key: string) {
    const draft = draftUpdateOfOne(string, key, 1, "add", 5);
    const judge = (_: number, packet: Uint8Array, start: number, end: number) => {
      return new TextDecoder().decode(packet.subarray(start, end));
    };
    return to.callDraft(operation.update, 16, draft, 7, judge, undefined);
  }

  it("waits in its place with bytes of its own, since the draft is the next call's", async () => {
    const to = lane({ messagesMax: 1 });
    const calls = ["a", "b", "c"].map((key) => update(to, key));
    expect([to.pending, to.writes]).toEqual([3, 3]);
    const sent: unknown[] = [];
    const request = new Request();
    for (const reply of ["1", "2", "3"]) {
      request.read(new ByteReader(to.takeBody()));
      sent.push([string.decode(request.key), Buffer.from(request.argument).toString("hex")]);
      to.receive(replies(reply));
    }
    expect(await Promise.all(calls)).toEqual(["1", "2", "3"]);
    const [[, argument] = []] = sent.map((each) => Array.from(Object(each)));
    expect(sent).toEqual(["a", "b", "c"].map((key) => [key, argument]));
    expect([to.pending, to.writes]).toEqual([0, 0]);
  });

  it("is refused where there is no room to wait", async () => {
    const to = lane({ messagesMax: 1, whenFull: "reject" });
    void update(to, "a");
    await expect(update(to, "b")).rejects.toMatchObject({ code: "MAILBOX_FULL" });
    expect([to.pending, to.writes]).toEqual([1, 1]);
  });
});
