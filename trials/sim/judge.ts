// Judge — what must be true of a run when everything has come to rest.
//
//   S1 linearizable per key        registers, slots
//   S2 atomic                      effects of one completion: all or none, and none of a failed one
//   S3 order                       inboxes
//   S4, S5 kept                    final reads belong to the histories
//   S6 once                        every effect counts 1; transfers keep the sum
//   Q, T                           answers and chunks (waiting-judge.ts)
//   L1 progress                    what was acknowledged has had its effects, nothing waits

import type { DeadLetter } from "../../index.js";
import { checkLinearizable, type SequentialModel } from "../../testing/index.js";
import type { Run, SlotInput } from "./run.js";
import type { Letter, Split } from "./topology.js";
import { isForgotten, judgeWaiting } from "./waiting-judge.js";
import { foundSitting } from "./waiting-topology.js";

const slotModel: SequentialModel<string | undefined, SlotInput, unknown> = {
  init: undefined,
  step: (state, input) => {
    switch (input.does) {
      case "put":
        return { state: input.value, output: undefined };
      case "get":
        return { state, output: state };
      case "delete":
        return { state: undefined, output: state !== undefined };
      case "clear":
        return { state: undefined, output: undefined };
    }
  },
  same: (expected, found) => expected === found,
};

/** Reads everything once more; after that the histories are complete. */
export async function readAll(run: Run): Promise<void> {
  const { runtime } = run;
  for (const key of run.registerKeys) {
    const invoked = run.now();
    const found = await runtime.store("registers").get(key);
    const { version = 0, by: value } = found ?? {};
    run.registers.push({ kind: "read", key, version, value, invoked, returned: run.now() });
  }
  for (const key of run.slotKeys) {
    const invoked = run.now();
    const output = await runtime.store("slots").get(key);
    run.slots.push({ key, input: { does: "get" }, output, invoked, returned: run.now() });
  }
}

/**
 * Runs again what was given up because its node was there at too many deaths. Nodes that fail by
 * themselves stay where they are.
 */
export async function replayLetters(run: Run): Promise<void> {
  const { deadLetters } = run.runtime;
  const letters: DeadLetter[] = [];
  for await (const letter of deadLetters.list()) letters.push(letter);
  const given = new Set(letters.map(({ invocationId }) => invocationId));
  for (const invocationId of run.failed) {
    if (!given.has(invocationId))
      run.violations.push(`L1: ${invocationId} failed without a letter`);
  }
  for (const letter of letters) {
    const { id, agent, node, message, reason, invocationId, nodeInvocationId } = letter;
    // cast: what the node `split` of this topology is given.
    const isGhost = node === "split" && (message as Split).targets.length === 0;
    if (isForgotten(agent, reason)) run.giveUp(invocationId, message);
    // What was given up before it was cancelled would go on.
    if (isGhost || node === "step") continue;
    // A `send` that was given up may have taken its number already.
    if (node === "send" || node === "receive") {
      // cast: what both nodes are given.
      run.replayedReceivers.add((message as Letter).receiver);
    }
    run.late.add(nodeInvocationId);
    await deadLetters.replay(id);
  }
}

export async function judge(run: Run): Promise<void> {
  judgeHistories(run);
  await judgeEffects(run);
  await judgeInboxes(run);
  await judgeWaiting(run);
}

function judgeHistories(run: Run): void {
  run.finishNotes();
  const registers = checkLinearizable(run.registers, { violationsMax: 3 });
  const slots = checkLinearizable(run.slots, { model: slotModel, searchStepsMax: 200_000 });
  for (const { outcome, violations } of [registers, slots]) {
    // A search that is given up says nothing about the product.
    if (outcome !== "violated") continue;
    for (const { rule, message } of violations) run.violations.push(`S1: ${rule}: ${message}`);
  }
}

async function judgeEffects(run: Run): Promise<void> {
  const { runtime } = run;
  const counted = new Map<string, number>();
  for await (const [name, count] of runtime.store("counts").entries()) counted.set(name, count);
  for (const name of run.forbidden) {
    if (counted.has(name)) run.violations.push(`S2: "${name}" is an effect of a failed node`);
  }
  for (const name of counted.keys()) {
    const sitter = name.startsWith(run.prefix) ? foundSitting(name) : undefined;
    // Who was given up while he sat at a desk has never left it: others find him there.
    if (sitter === undefined || run.isGivenUp(sitter)) continue;
    run.violations.push(`S3: "${name}" while only one may sit there`);
  }
  for (const { name, count } of run.stopped) {
    const found = counted.get(name) ?? 0;
    if (found !== count) run.violations.push(`L1: "${name}" went on from ${count} to ${found}`);
  }
  for (const { names, acknowledged } of run.promised) {
    if (run.isGivenUp(names[0] ?? "")) continue;
    const found = names.filter((name) => counted.has(name));
    for (const name of found) {
      const count = counted.get(name);
      if (count !== 1) run.violations.push(`S6: "${name}" was counted ${count} times`);
    }
    if (found.length === names.length) continue;
    const missing = names.filter((name) => !counted.has(name)).join(", ");
    if (acknowledged) run.violations.push(`S4: acknowledged, but without effect: ${missing}`);
    else if (found.length > 0) {
      run.violations.push(`L1: ${found.join(", ")} had an effect, ${missing} never had`);
    }
  }
  let sum = 0;
  for await (const [account, balance] of runtime.store("balances").entries()) {
    if (account.startsWith(run.prefix)) sum += balance;
  }
  if (sum !== 0) run.violations.push(`S6: transfers have made ${sum} out of nothing`);
}

async function judgeInboxes(run: Run): Promise<void> {
  const { runtime } = run;
  for await (const [receiver, inbox] of runtime.store("inboxes").entries()) {
    if (!receiver.startsWith(run.prefix)) continue;
    for (const [sender, taken] of Object.entries(inbox)) {
      const sent = (await runtime.store("counts").get(`${sender} to ${receiver}`)) ?? 0;
      // What was given up and replayed comes behind what came since: once, but late.
      const isLate = run.replayedReceivers.has(receiver);
      const order = isLate ? [...taken].sort((one, other) => one - other) : taken;
      const isWhole = order.length === sent && order.every((number, at) => number === at + 1);
      if (isWhole) continue;
      run.violations.push(`S3: ${sender} sent 1 to ${sent} to ${receiver}, which took ${taken}`);
    }
  }
}
