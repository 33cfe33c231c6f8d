// Tell — begins a tale, follows what it streams over deaths of threads and processes, reads its
// trace, and forks it.

import type { Invocation, StreamEvent } from "../../index.js";
import type { Action } from "./actions.js";
import type { Run } from "./run.js";
import type { StreamedChunk } from "./tales.js";

export const tell: Action = async (run) => {
  const id = run.name("l");
  const parts = Array.from({ length: 1 + run.pick(3) }, () => {
    return { count: 1 + run.pick(5), throwsBelow: run.throwsBelow(5, 2) };
  });
  const promised = { names: namesOf(id, parts.length), acknowledged: false };
  run.promised.push(promised);
  const agent = run.runtime.agent("tales");
  const began = await run.outcome(`begin ${id}`, () => agent.initiate({ id, parts }));
  if (began === undefined) return;
  const lists = await follow(run, id, began.value);
  if (lists === undefined) return;
  promised.acknowledged = true;
  assertLists(
    run,
    id,
    lists,
    parts.map(({ count }) => count),
  );
  await assertTraced(run, id, began.value, 2 + parts.length);
  const [changed] = lists.keys();
  if (changed !== undefined && run.pick(2) === 0)
    await fork(run, id, began.value, changed, parts.length);
};

async function fork(
  run: Run,
  parent: string,
  invocation: Invocation<string>,
  changed: string,
  parts: number,
): Promise<void> {
  const id = `${parent} fork`;
  const promised = { names: [`${id} part 0`, `${id} told ${parts}`], acknowledged: false };
  run.promised.push(promised);
  const message = { id, part: 0, count: 7, throwsBelow: 0 };
  const began = await run.outcome(`fork ${parent}`, () =>
    invocation.initiateFork({ [changed]: message }),
  );
  if (began === undefined) return;
  const lists = await follow(run, id, began.value);
  if (lists === undefined) return;
  promised.acknowledged = true;
  assertLists(run, id, lists, [7]);
}

function namesOf(id: string, parts: number): readonly string[] {
  const names = Array.from({ length: parts }, (_, part) => `${id} part ${part}`);
  return [...names, `${id} told ${parts}`];
}

/** By node invocation: the attempts of its chunks; nothing when the invocation has failed. */
async function follow(
  run: Run,
  id: string,
  invocation: Invocation<string>,
): Promise<ReadonlyMap<string, readonly number[]> | undefined> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const lists = new Map<string, number[]>();
    const failed = run.failed.has(invocation.id);
    const followed = await run.outcome(`follow ${id}`, () =>
      invocation.streamAll("write").forEach((event) => {
        noted(run, id, lists, event);
      }),
    );
    if (followed !== undefined) return lists;
    if (!failed && run.failed.has(invocation.id)) return undefined;
  }
  return undefined;
}

function noted(run: Run, id: string, lists: Map<string, number[]>, event: StreamEvent): void {
  const list = lists.get(event.nodeInvocationId) ?? [];
  lists.set(event.nodeInvocationId, list);
  if (event.kind === "reset") list.length = 0;
  if (event.kind !== "chunk") return;
  // cast: what the nodes of this agent stream.
  const { chunk, attempt } = event.value as StreamedChunk;
  const [first = attempt] = list;
  if (event.index !== list.length || chunk !== list.length || attempt !== first) {
    const shown = `${chunk} of attempt ${attempt} at ${event.index}`;
    run.violations.push(`S3: ${id} streams ${shown} behind ${list.length} of attempt ${first}`);
  }
  list.push(attempt);
}

function assertLists(
  run: Run,
  id: string,
  lists: ReadonlyMap<string, readonly number[]>,
  counts: readonly number[],
): void {
  const found = Array.from(lists.values(), ({ length }) => length).sort((a, b) => a - b);
  const expected = [...counts].sort((a, b) => a - b);
  if (found.join() === expected.join()) return;
  run.violations.push(`S4: ${id} has streamed ${expected}, and kept ${found}`);
}

async function assertTraced(
  run: Run,
  id: string,
  invocation: Invocation<string>,
  expected: number,
): Promise<void> {
  const nodes = await run.outcome(`trace ${id}`, async () => {
    let open = 0;
    let count = 0;
    for await (const { status } of invocation.trace()) {
      count += 1;
      if (status === "open") open += 1;
    }
    return { open, count };
  });
  if (nodes === undefined) return;
  const { open, count } = nodes.value;
  if (open > 0 || count !== expected) {
    run.violations.push(`S4: ${id} has ${expected} node invocations: ${count} shown, ${open} open`);
  }
}
