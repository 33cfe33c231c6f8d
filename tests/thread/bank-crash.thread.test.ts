// kill -9 in the middle of transfers. What goes wrong here would look like a withdrawal that was
// repeated when its node ran again, or a payment that never arrived.

import { describe, expect, it } from "vitest";
import topology, { type LedgerEntry } from "../../examples/bank/topology.js";
import { launch } from "../../index.js";
import { compiled, killedProgram } from "../support/killed-program.js";
import { tempDirectory } from "../support/temp-directory.js";

const names = ["ada", "ben", "cleo", "dan", "eve"];
const openingCents = 10_000;
const timeout = 60_000;
const roundCount = 2;
/** Accepted transfers after which the process is killed; dozens more are under way then. */
const receiptsBeforeKill = 100;

/** Transfers without end, and writes the reference of each one that was accepted. */
const program = `
  import { launch } from ${JSON.stringify(compiled("index.js"))};
  import topology from ${JSON.stringify(compiled("examples/bank/topology.js"))};
  const [directory, round] = process.argv.slice(2);
  const names = ${JSON.stringify(names)};
  const runtime = await launch(topology, { directory, tasks: 4, threads: 2 });
  for (const name of names) {
    await runtime.store("accounts").update("open", name, ${openingCents});
  }
  const transfer = runtime.agent("transfer");
  const client = async (_, number) => {
    for (let i = 0; ; i++) {
      const reference = [round, number, i].join("-");
      const from = names[number % names.length];
      const to = names[(number + i) % names.length];
      const receipt = await transfer.invoke({ reference, from, to, cents: 1 + ((7 * i) % 90) });
      if (receipt.ok) process.stdout.write(reference + "\\n");
    }
  };
  await Promise.all(Array.from({ length: 60 }, client));
`;

describe("bank — killed in the middle of transfers", () => {
  it("has every cent, every accepted transfer and no half of one afterwards", {
    timeout,
  }, async () => {
    const directory = tempDirectory();
    const run = killedProgram(program, { word: "\n", times: receiptsBeforeKill });
    for (let round = 1; round <= roundCount; round++) {
      const accepted = await run(directory, round);
      // Any thread count may open the directory; what was under way goes on by itself.
      await using bank = await launch(topology, { directory, tasks: 4, threads: 0 });
      await bank.drain();

      const payments = new Map<string, LedgerEntry>();
      const receipts = new Map<string, LedgerEntry>();
      let total = 0;
      for await (const [owner, account] of bank.store("accounts").entries()) {
        let cents = openingCents;
        let number = 0;
        for await (const [key, entry] of bank.store("ledger").entries({ prefix: [owner] })) {
          number += 1;
          cents += entry.change;
          expect(key).toEqual([owner, number]);
          expect(entry.cents).toBe(cents);
          const side = entry.change < 0 ? payments : receipts;
          expect(side.has(entry.reference)).toBe(false);
          side.set(entry.reference, entry);
        }
        expect([account.cents, account.entries]).toEqual([cents, number]);
        total += account.cents;
      }

      expect(total).toBe(names.length * openingCents);
      expect([...receipts.keys()].sort()).toEqual([...payments.keys()].sort());
      for (const reference of accepted) expect(receipts.has(reference)).toBe(true);
    }
  });
});
