// The verdict on what tasks know of each other. A bug here would look like messages that a
// destination takes for duplicates and drops without a word, or like a directory that is refused
// although nothing is wrong with it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Continuation,
  judgeStreams,
  type SentStream,
  type TaskStreams,
} from "../../../runtime/handshake.js";
import { check } from "../../support/property.js";

interface Pair {
  readonly name: string;
  /** What task 0 says of its stream to task 1; `undefined`: it knows of none. */
  readonly stream?: { readonly next: number; readonly acknowledged: number };
  /** What task 1 says of task 0; `undefined`: it has no mark. */
  readonly mark?: number;
  readonly lossy?: boolean;
  /** The verdict: `undefined` when all is well, a number where the source goes on, or refused. */
  readonly goesOn?: number;
  readonly isRefused?: true;
}

const pairs: readonly Pair[] = [
  { name: "nothing was ever sent" },
  { name: "sent, and none of it applied", stream: { next: 5, acknowledged: 0 } },
  { name: "some of it applied", stream: { next: 5, acknowledged: 2 }, mark: 3 },
  { name: "all of it applied", stream: { next: 5, acknowledged: 4 }, mark: 4 },
  { name: "as much as was acknowledged", stream: { next: 5, acknowledged: 2 }, mark: 2 },
  { name: "one less", stream: { next: 5, acknowledged: 2 }, mark: 1, isRefused: true },
  { name: "no mark, but acknowledged", stream: { next: 2, acknowledged: 1 }, isRefused: true },
  {
    name: "one more than was sent",
    stream: { next: 5, acknowledged: 2 },
    mark: 5,
    isRefused: true,
  },
  { name: "a mark of a source without a stream", mark: 1, isRefused: true },
  {
    name: "a power cut took some from the source",
    stream: { next: 5, acknowledged: 2 },
    mark: 9,
    lossy: true,
    goesOn: 10,
  },
  { name: "a power cut took all from the source", mark: 3, lossy: true, goesOn: 4 },
  {
    name: "no power cut takes what was made durable",
    stream: { next: 5, acknowledged: 2 },
    mark: 1,
    lossy: true,
    isRefused: true,
  },
  {
    name: "a power cut that took nothing",
    stream: { next: 5, acknowledged: 2 },
    mark: 4,
    lossy: true,
  },
];

function tasksOf({ stream, mark, lossy = false }: Pair): readonly TaskStreams[] {
  return [
    { task: 0, lossy, marks: [], streams: stream ? [{ destination: 1, ...stream }] : [] },
    { task: 1, lossy: false, marks: mark === undefined ? [] : [[0, mark]], streams: [] },
  ];
}

describe("handshake — one pair (N1, N2, N3)", () => {
  it.each(pairs)("$name", (pair) => {
    const judge = (): readonly Continuation[] => judgeStreams(tasksOf(pair));
    if (pair.isRefused === true) {
      const { next, acknowledged } = pair.stream ?? { next: 1, acknowledged: 0 };
      const numbers = { applied: pair.mark ?? 0, acknowledged, next };
      const details = { source: 0, destination: 1, ...numbers };
      expect(judge).toThrow(expect.objectContaining({ code: "STREAM_DIVERGED", details }));
      return;
    }
    const { goesOn } = pair;
    const expected = goesOn === undefined ? [] : [{ source: 0, destination: 1, next: goesOn }];
    expect(judge()).toEqual(expected);
  });

  it("says both numbers, and whose they are", () => {
    const tasks = tasksOf({ name: "", stream: { next: 5, acknowledged: 2 }, mark: 7 });
    expect(() => judgeStreams(tasks)).toThrow(
      "task 1 has applied message 7 of task 0, which knows of 2 acknowledged and 4 sent",
    );
  });

  it("does not take the destination's power cut for the source's", () => {
    const [source, destination] = tasksOf({ name: "", mark: 3 });
    if (source === undefined || destination === undefined) throw new Error("there are two");
    const tasks = [source, { ...destination, lossy: true }];
    expect(() => judgeStreams(tasks)).toThrow("task 1 has applied message 3 of task 0");
  });

  it("refuses a mark of something that is no task of the directory", () => {
    const lone: TaskStreams = { task: 0, lossy: true, marks: [[40, 2]], streams: [] };
    expect(() => judgeStreams([lone])).toThrow("message 2 of task 40");
  });
});

describe("handshake — all pairs", () => {
  it("finds the one pair that does not fit, whichever it is, and no fault otherwise", async () => {
    const taskCount = 4;
    const numbers = fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5));
    const matrix = fc.array(numbers, { minLength: taskCount ** 2, maxLength: taskCount ** 2 });
    const pair = fc.tuple(fc.nat(taskCount - 1), fc.nat(taskCount - 1));
    const property = fc.property(matrix, pair, fc.boolean(), (all, [source, destination], less) => {
      const entry = (from: number, to: number) => all[from * taskCount + to] ?? [0, 0, 0];
      const tasks = (broken: boolean): readonly TaskStreams[] =>
        Array.from({ length: taskCount }, (_, task) => {
          const marks: [number, number][] = [];
          const streams: SentStream[] = [];
          for (let other = 0; other < taskCount; other += 1) {
            if (other === task) continue;
            const [acknowledged, applied, rest] = entry(task, other);
            const sent = { acknowledged, next: acknowledged + applied + rest + 1 };
            streams.push({ destination: other, ...sent });
            const [theirs, more, unseen] = entry(other, task);
            const isBroken = broken && other === source && task === destination;
            const offset = less ? -more - 1 : unseen + 1;
            marks.push([other, theirs + more + (isBroken ? offset : 0)]);
          }
          return { task, lossy: false, marks, streams };
        });
      expect(judgeStreams(tasks(false))).toEqual([]);
      if (source === destination) return;
      const details = expect.objectContaining({ source, destination });
      const refusal = expect.objectContaining({ code: "STREAM_DIVERGED", details });
      expect(() => judgeStreams(tasks(true))).toThrow(refusal);
    });
    await check(property, { runs: 200 });
  });
});
