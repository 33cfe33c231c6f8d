// A bug here would look like a write that is carried out twice or never when its task dies, or like
// a key whose reads go the long way for ever.
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../base/byte-reader.js";
import { ByteWriter } from "../../../base/byte-writer.js";
import { PartitaError } from "../../../base/errors.js";
import { Lane } from "../../../runtime/lane.js";
import { journaled } from "../../../runtime/node-operations.js";
import { OperationJournal } from "../../../runtime/operation-journal.js";
import {
  operation,
  Request,
  stampKind,
  status,
  writeReply,
} from "../../../runtime/lane-encoding.js";

const keyHash = 7;
const request = {
  kind: operation.put,
  table: 16,
  key: Uint8Array.of(1),
  keyHash,
  argument: Uint8Array.of(2),
} as const;

function begun() {
  const lane = new Lane(3, { messagesMax: 4, bytesMax: 1_000, whenFull: "wait" }, () => {});
  const reply = journaled(new OperationJournal(new Uint8Array(24)), lane, request);
  const stampSent = () => {
    const sent = new Request();
    sent.read(new ByteReader(lane.takeBody()));
    return sent.stamp?.kind;
  };
  const answer = (kind: typeof status.ok | typeof status.error): void => {
    const body = new ByteWriter();
    writeReply(body, kind, Uint8Array.of(9));
    lane.receive(body.finish());
  };
  return { lane, reply, stampSent, answer };
}

const exited = new PartitaError("TASK_EXITED", { taskIds: [3], threadId: 1, reason: "a test" });

describe("a write of a node", () => {
  it("counts as one on the way until it is answered, be it refused", async () => {
    for (const kind of [status.ok, status.error]) {
      const { lane, reply, answer } = begun();
      expect(lane.pendingWrites(keyHash)).toBeGreaterThan(0);
      answer(kind);
      expect((await reply).status).toBe(kind);
      expect([lane.pendingWrites(keyHash), lane.writes]).toEqual([0, 0]);
    }
  });

  it("is sent again, as such, each time its task has died, and counts meanwhile", async () => {
    const { lane, reply, stampSent, answer } = begun();
    expect(stampSent()).toBe(stampKind.first);
    for (let death = 0; death < 3; death += 1) {
      lane.lose(exited);
      expect(lane.pendingWrites(keyHash)).toBeGreaterThan(0);
      lane.reopen();
      await expect.poll(() => lane.pending).toBe(1);
      expect(stampSent()).toBe(stampKind.again);
    }
    answer(status.ok);
    expect((await reply).bytes).toEqual(Uint8Array.of(9));
    expect([lane.pendingWrites(keyHash), lane.writes]).toEqual([0, 0]);
  });

  it("is refused when its task never comes back, and counts no more", async () => {
    const { lane, reply } = begun();
    lane.lose(exited);
    lane.lose(new PartitaError("CLOSED", { what: "a test" }));
    await expect(reply).rejects.toMatchObject({ code: "CLOSED" });
    expect([lane.pendingWrites(keyHash), lane.writes]).toEqual([0, 0]);
  });
});
