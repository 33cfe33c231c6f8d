// A bug here would look like this: a node invocation that has finished and is not known, one that
// is known as it was before, or a record that grows with its tree.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeRecord,
  encodeRecord,
  firstRecord,
  type InvocationRecord,
  invocationTable,
} from "../../../agents/home/invocation-record.js";
import { firstParts, nodeOf, originOf, withNode } from "../../../agents/home/parts.js";
import { treeTable } from "../../../agents/home/tree.js";
import { type NodeInvocationId, rootNodeId } from "../../../agents/wire/invocation-id.js";
import { noBytes } from "../../../agents/wire/wire-field.js";
import type { Turn } from "../../../runtime/task-program.js";
import { check } from "../../support/property.js";

const id = Uint8Array.from({ length: 16 }, (_, index) => index);
const root = rootNodeId(id, 0);

/** Rows of one task, of which only what parts need is there. */
function rowsOf(): { readonly turn: Turn; readonly count: (table: number) => number } {
  const rows = new Map<string, Uint8Array>();
  const nameOf = (table: number, key: Uint8Array): string =>
    `${table} ${Buffer.from(key).toString("hex")}`;
  const refuse = (): never => {
    throw new Error("parts only read and write rows");
  };
  const turn: Turn = {
    origin: { kind: "self" },
    get: (table, key) => rows.get(nameOf(table, key)),
    put: (table, key, value) => void rows.set(nameOf(table, key), value),
    delete: refuse,
    send: refuse,
    sendOwn: refuse,
    lastly: refuse,
    forgetOperation: refuse,
    recordOperation: refuse,
    once: refuse,
    notify: refuse,
    afterCommit: refuse,
  };
  const count = (table: number): number =>
    [...rows.keys()].filter((name) => name.startsWith(`${table} `)).length;
  return { turn, count };
}

function recordOf(tree: Pick<InvocationRecord, "parts" | "isSpread">): InvocationRecord {
  const given = { agent: "a", outstanding: root, extras: false, copying: false, ...tree };
  return firstRecord(given, 1);
}

const node: fc.Arbitrary<NodeInvocationId> = fc.record({ high: fc.nat(2), low: fc.nat(3) });
const sizes = fc.oneof(fc.nat(40), fc.nat(700));
const finished = fc.record({ node, size: sizes, fill: fc.nat(255) });

describe("parts — what a record keeps of a tree", () => {
  it("has every node invocation as it finished last, wherever, within a bound", async () => {
    const property = fc.property(sizes, fc.array(finished, { maxLength: 20 }), (first, all) => {
      const { turn, count } = rowsOf();
      const run = new Uint8Array(first).fill(7);
      const model = new Map<string, Uint8Array>();
      let record = recordOf(firstParts(turn, id, root, run));
      turn.put(invocationTable, id, encodeRecord(record));
      for (const { node: of, size, fill } of all) {
        const bytes = new Uint8Array(size).fill(fill);
        model.set(`${of.high} ${of.low}`, bytes);
        const tree = withNode(turn, id, record, of, bytes);
        record = { ...record, ...tree };
        // Before the record is written its parts are looked at; afterwards the row.
        expect(nodeOf(turn, id, of, tree.parts)).toEqual(bytes);
        turn.put(invocationTable, id, encodeRecord(record));
        expect(decodeRecord(encodeRecord(record)).parts).toEqual(tree.parts);
      }
      for (let high = 0; high <= 2; high += 1) {
        for (let low = 0; low <= 3; low += 1) {
          expect(nodeOf(turn, id, { high, low })).toEqual(model.get(`${high} ${low}`));
        }
      }
      expect(originOf(turn, id, root)).toEqual(run);
      expect(originOf(turn, id, { high: 9, low: 9 })).toBeUndefined();
      expect(record.parts.length).toBeLessThanOrEqual(512);
      expect(record.isSpread).toBe(count(treeTable) > 0);
    });
    await check(property, { runs: 300 });
  });

  it("keeps a tree of two small node invocations without any row of its own", () => {
    const { turn, count } = rowsOf();
    const first = firstParts(turn, id, root, new Uint8Array(120));
    const second = withNode(turn, id, first, root, new Uint8Array(80));
    const last = withNode(turn, id, second, { high: 1, low: 1 }, new Uint8Array(80));
    expect(count(treeTable)).toBe(0);
    expect(last.isSpread).toBe(false);
    expect(nodeOf(turn, id, root, last.parts)?.length).toBe(80);
  });

  it("knows nothing of an invocation that is forgotten", () => {
    const { turn } = rowsOf();
    expect(nodeOf(turn, id, root)).toBeUndefined();
    expect(originOf(turn, id, root)).toBeUndefined();
    expect(nodeOf(turn, id, root, noBytes)).toBeUndefined();
  });
});
