// Actions — what the clients of the trial do: each one call or a few, with notes of what came back.

import type { Run, SlotInput } from "./run.js";
import type { Scenario } from "./scenario.js";
import { abandon, family, inquiry, story } from "./waiting-actions.js";
import { errand, knot, lead } from "./driving-actions.js";
import { tell } from "./tell.js";

/** Who calls: calls of one client are numbered in order. */
export interface Client {
  readonly name: string;
  calls: number;
}

export type Action = (run: Run, client: Client, scenario: Scenario) => Promise<void>;

function keyOf(run: Run, { keys }: Scenario, kind: string): string {
  return run.key(kind, keys);
}

/** A write or read of a register, by a client or by `modify`. */
const register: Action = async (run, client, scenario) => {
  const key = keyOf(run, scenario, "r");
  run.registerKeys.add(key);
  const store = run.runtime.store("registers");
  const by = run.name("w");
  client.calls += 1;
  const who = { client: client.name, call: client.calls, key };
  const chosen = run.pick(10);
  const invoked = run.now();
  if (chosen < 4) {
    const version = await run.outcome(`${by} writes ${key}`, () => store.update("write", key, by));
    const returned = version === undefined ? Number.POSITIVE_INFINITY : run.now();
    const known = { kind: "write" as const, version: version?.value, value: by };
    run.registers.push({ ...who, ...known, invoked, returned });
  } else if (chosen < 8) {
    const found = await run.outcome(`read ${key}`, () => store.get(key));
    if (found === undefined) return;
    const { version = 0, by: value } = found.value ?? {};
    run.registers.push({ ...who, kind: "read", version, value, invoked, returned: run.now() });
  } else if (chosen < 9) {
    const change = (current?: { readonly version: number }) => {
      return { version: (current?.version ?? 0) + 1, by };
    };
    const made = await run.outcome(`${by} modifies ${key}`, () => store.modify(key, change));
    const returned = made === undefined ? Number.POSITIVE_INFINITY : run.now();
    const known = { kind: "write" as const, version: made?.value?.version, value: by };
    // Its read comes first, so its write is not in the order of its client's calls.
    run.registers.push({ key, ...known, invoked, returned });
  } else {
    const refused = store.update("fail", key, by).then(
      () => run.violations.push(`S2: ${by} did not fail`),
      () => {},
    );
    await refused;
  }
};

/** All registers at once. */
const scan: Action = async (run) => {
  const store = run.runtime.store("registers");
  const invoked = run.now();
  await run.outcome("scan", async () => {
    const found: { readonly key: string; readonly version: number; readonly value: string }[] = [];
    for await (const [key, { version, by }] of store.entries()) {
      if (key.startsWith(run.prefix)) found.push({ key, version, value: by });
    }
    const returned = run.now();
    if (new Set(found.map(({ key }) => key)).size !== found.length) {
      run.violations.push("S1: a scan gave a key twice");
    }
    for (const entry of found) run.registers.push({ kind: "read", ...entry, invoked, returned });
  });
};

/** A write without an await, then a read of the same key: the client sees its own write. */
const ownWrite: Action = async (run, client, scenario) => {
  const key = keyOf(run, scenario, "r");
  run.registerKeys.add(key);
  const store = run.runtime.store("registers");
  const by = run.name("w");
  const invoked = run.now();
  const write = run.outcome(`${by} writes ${key}`, () => store.update("write", key, by));
  client.calls += 2;
  const call = client.calls;
  const reading = run.now();
  const read = run.outcome(`read ${key} after ${by}`, () => store.get(key));
  const finish = async (): Promise<void> => {
    const version = await write;
    const returned = version === undefined ? Number.POSITIVE_INFINITY : run.now();
    const known = { kind: "write" as const, key, version: version?.value, value: by };
    run.registers.push({ ...known, client: client.name, call: call - 1, invoked, returned });
  };
  const observe = async (): Promise<void> => {
    const found = await read;
    if (found === undefined) return;
    const { version = 0, by: value } = found.value ?? {};
    const known = { kind: "read" as const, key, version, value };
    const when = { invoked: reading, returned: run.now() };
    run.registers.push({ ...known, client: client.name, call, ...when });
  };
  await Promise.all([finish(), observe()]);
};

/** A put, delete, get or clear of plain values. */
const slot: Action = async (run, _client, scenario) => {
  const store = run.runtime.store("slots");
  const key = keyOf(run, scenario, "s");
  run.slotKeys.add(key);
  const value = run.name("v");
  const chosen = run.pick(12);
  const invoked = run.now();
  const noted = (of: string, input: SlotInput, outcome: { value: unknown } | undefined): void => {
    const returned = outcome === undefined ? Number.POSITIVE_INFINITY : run.now();
    run.slots.push({ key: of, input, output: outcome?.value, invoked, returned });
  };
  if (chosen < 4) {
    const put = await run.outcome(`put ${key}`, () => store.put(key, value));
    noted(key, { does: "put", value }, put);
  } else if (chosen < 8) {
    noted(key, { does: "get" }, await run.outcome(`get ${key}`, () => store.get(key)));
  } else if (chosen < 11) {
    noted(key, { does: "delete" }, await run.outcome(`delete ${key}`, () => store.delete(key)));
  } else {
    const cleared = await run.outcome("clear", () => store.clear());
    for (let index = 0; index < scenario.keys; index += 1) {
      noted(`${run.prefix}s${index}`, { does: "clear" }, cleared);
    }
  }
};

/** An update under an id, called until it is acknowledged: it counts once. */
const once: Action = async (run) => {
  const name = run.name("once");
  const id = run.runtime.newId();
  const promised = { names: [name], acknowledged: false };
  run.promised.push(promised);
  const store = run.runtime.store("counts").once(id);
  for (let attempt = 0; attempt < 20 && !promised.acknowledged; attempt += 1) {
    const count = await run.outcome(`add ${name}`, () => store.update("add", name, 1));
    if (count === undefined) continue;
    promised.acknowledged = true;
    if (count.value !== 1) run.violations.push(`S6: ${name} was counted ${count.value} times`);
  }
};

/** An update under an id that is refused after it has run: it has changed nothing. */
const bloat: Action = async (run) => {
  const name = run.name("bloat");
  run.forbidden.push(name);
  const store = run.runtime.store("counts").once(run.runtime.newId());
  await run.outcome(`bloat ${name}`, async () => {
    await store.update("bloat", name).then(
      () => run.violations.push(`S2: ${name} was not refused`),
      (error: { readonly code?: unknown }) => {
        if (error.code !== "VALUE_TOO_LARGE") throw error;
      },
    );
  });
};

/** Begins an invocation; it is acknowledged when its result is there, or when it has begun. */
async function invoke(
  run: Run,
  names: readonly string[],
  what: string,
  call: (options: { readonly id?: string }) => Promise<unknown>,
): Promise<void> {
  const promised = { names, acknowledged: false };
  run.promised.push(promised);
  const isNamed = run.pick(3) === 0;
  const options = isNamed ? { id: run.runtime.newId() } : {};
  for (let attempt = 0; attempt < 20 && !promised.acknowledged; attempt += 1) {
    const result = await run.outcome(what, () => call(options));
    promised.acknowledged = result !== undefined;
    // Without an id a second call would be a second invocation.
    if (!isNamed) return;
  }
}

const transfer: Action = async (run) => {
  const id = run.name("t");
  const input = { id, from: run.key("a", 3), to: run.key("a", 3), amount: 1 + run.pick(9) };
  const agent = run.runtime.agent("transfers");
  const names = [`${id} debit`, `${id} credit`];
  await invoke(run, names, `transfer ${id}`, (options) => agent.invoke(input, options));
};

const chain: Action = async (run) => {
  const id = run.name("c");
  const path = Array.from({ length: 2 + run.pick(4) }, () => run.key("k", 3));
  const agent = run.runtime.agent("chains");
  const names = path.map((_, hop) => `${id} hop ${hop}`);
  const input = { id, path, hop: 0 };
  await invoke(run, names, `chain ${id}`, (options) => agent.invoke(input, options));
};

const letter: Action = async (run, client, scenario) => {
  const sender = run.key("sender", 2);
  const input = { sender, receiver: keyOf(run, scenario, "receiver") };
  const agent = run.runtime.agent("letters");
  const what = `${client.name} sends ${sender} to ${input.receiver}`;
  // What was taken is in the inbox, and judged there.
  const sent = Array.from({ length: 1 + run.pick(3) }, () => {
    return run.outcome(run.name(what), () => agent.invoke(input));
  });
  await Promise.all(sent);
};

const split: Action = async (run) => {
  const id = run.name("p");
  const targets = Array.from({ length: 1 + run.pick(3) }, (_, index) => run.key(`k${index}`, 3));
  const agent = run.runtime.agent("splits");
  const names = targets.map((_, part) => `${id} part ${part}`);
  const input = { id, targets };
  await invoke(run, names, `split ${id}`, (options) => agent.invoke(input, options));
};

const tally: Action = async (run) => {
  const id = run.name("y");
  const groups = Array.from({ length: 1 + run.pick(3) }, () => {
    const keys = Array.from({ length: 1 + run.pick(3) }, () => run.key("k", 4));
    // More than there are: it ends when all have come.
    return { keys, enough: 1 + run.pick(5) };
  });
  const names = groups.flatMap(({ keys }, group) => {
    const members = keys.map((_, member) => `${id} group ${group} member ${member}`);
    return [`${id} group ${group}`, ...members];
  });
  run.forbidden.push(`${id} miscounted`);
  const expected = groups.reduce(
    (total, { keys, enough }) => total + Math.min(keys.length, enough),
    0,
  );
  const agent = run.runtime.agent("tallies");
  await invoke(run, [...names, `${id} total`], `tally ${id}`, async (options) => {
    const total = await agent.invoke({ id, groups }, options);
    if (total !== expected) run.violations.push(`S2: ${id} is ${total} of ${expected}`);
  });
};

/** An invocation that is tried again, while some of its nodes run, some wait and some are done. */
const trial: Action = async (run) => {
  const id = run.name("r");
  const pieces = Array.from({ length: 2 + run.pick(4) }, () => {
    return { key: run.key("k", 4), throwsBelow: run.throwsBelow(5, 1) };
  });
  const names = [`${id} begin`, ...pieces.map((_, piece) => `${id} piece ${piece}`), `${id} end`];
  const agent = run.runtime.agent("trials");
  await invoke(run, names, `trial ${id}`, async (options) => {
    const ended = await agent.invoke({ id, pieces }, options);
    if (ended !== pieces.length) run.violations.push(`S2: ${id} is ${ended} of ${pieces.length}`);
  });
};

/** An invocation that is cancelled on its way: when that has come true, nothing of it goes on. */
const cancel: Action = async (run) => {
  const id = run.name("x");
  const name = `${id} steps`;
  const agent = run.runtime.agent("walks");
  const began = await run.outcome(`begin ${id}`, () => agent.initiate({ id, left: 12 }));
  if (began === undefined) return;
  const counts = run.runtime.store("counts");
  for (let look = run.pick(6); look > 0; look -= 1) {
    await run.outcome(`look at ${id}`, () => counts.get(name));
  }
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const cancelled = await run.outcome(`cancel ${id}`, () => began.value.cancel());
    if (cancelled === undefined) continue;
    const count = await run.outcome(`count ${id}`, () => counts.get(name));
    if (count !== undefined) run.stopped.push({ name, count: count.value ?? 0 });
    return;
  }
};

/** Many messages at once from one task to another: they follow on each other while it dies. */
const burst: Action = async (run, client, scenario) => {
  await Promise.all(Array.from({ length: 5 }, () => chain(run, client, scenario)));
};

/** An invocation that fails after it has emitted: what it has emitted is nowhere. */
const ghost: Action = async (run) => {
  const id = run.name("g");
  run.forbidden.push(`${id} ghost`);
  const agent = run.runtime.agent("splits");
  await run.outcome(`ghost ${id}`, async () => {
    await agent.invoke({ id, targets: [] }).then(
      () => run.violations.push(`S2: ${id} did not fail`),
      (error: { readonly code?: unknown }) => {
        if (error.code !== "INVOCATION_FAILED") throw error;
      },
    );
  });
};

const visit: Action = async (run, client, scenario) => {
  const id = run.name("n");
  const operations = Array.from({ length: 1 + run.pick(3) }, () => {
    return { key: keyOf(run, scenario, "r"), writes: run.pick(2) === 0 };
  });
  const input = { id, key: run.key("k", 3), registers: operations };
  const agent = run.runtime.agent("visits");
  await run.outcome(`${client.name} visits ${id}`, () => agent.invoke(input));
};

/** An invocation that is begun and asked for its result later, perhaps in another life. */
const begun: Action = async (run) => {
  const id = run.name("b");
  const promised = { names: [`${id} hop 0`, `${id} hop 1`], acknowledged: false };
  run.promised.push(promised);
  const path = [run.key("k", 4), run.key("k", 4)];
  const agent = run.runtime.agent("chains");
  const began = await run.outcome(`begin ${id}`, () => agent.initiate({ id, path, hop: 0 }));
  if (began === undefined) return;
  promised.acknowledged = true;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const result = await run.outcome(`result of ${id}`, () => began.value.result());
    if (result !== undefined) return;
  }
};

/** How often each is chosen. */
const weighted: readonly (readonly [number, Action])[] = [
  [8, register],
  [1, scan],
  [3, ownWrite],
  [6, slot],
  [3, once],
  [1, bloat],
  [4, transfer],
  [4, chain],
  [1, burst],
  [3, letter],
  [3, split],
  [3, tally],
  [3, trial],
  [2, cancel],
  [2, lead],
  [2, tell],
  [1, ghost],
  [3, visit],
  [2, begun],
  [3, family],
  [4, inquiry],
  [2, abandon],
  [4, story],
  [2, errand],
  [2, knot],
];
const weights = weighted.reduce((sum, [weight]) => sum + weight, 0);

export function chooseAction(run: Run): Action {
  let left = run.pick(weights);
  for (const [weight, action] of weighted) {
    if (left < weight) return action;
    left -= weight;
  }
  return register;
}
