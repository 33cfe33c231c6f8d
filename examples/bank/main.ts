import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import topology from "./topology.js";

const names = ["ada", "ben", "cleo", "dan", "eve"];
const openingCents = 10_000;
const transferCount = 2_000;

async function main(directory: string): Promise<void> {
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });
  const accounts = runtime.store("accounts");
  for (const name of names) await accounts.update("open", name, openingCents);

  const pick = (): string => names[Math.floor(Math.random() * names.length)] ?? "ada";
  const transfers = Array.from({ length: transferCount }, (_, i) => {
    const cents = 1 + Math.floor(Math.random() * 5_000);
    return { reference: `transfer ${i}`, from: pick(), to: pick(), cents };
  });
  // All at once: each account is payer and payee of hundreds of transfers at the same time.
  const transfer = runtime.agent("transfer");
  const receipts = await Promise.all(transfers.map((order) => transfer.invoke(order)));

  let total = 0;
  for await (const [name, { cents, entries }] of accounts.entries()) {
    console.log(`${name.padEnd(4)} ${String(cents).padStart(6)} cents after ${entries} entries`);
    total += cents;
  }
  const refused = receipts.filter((receipt) => !receipt.ok).length;
  console.log(`${transferCount} transfers, ${refused} refused`);
  console.log(`${total} cents in all, ${names.length * openingCents} paid in`);
}

const directory = await mkdtemp(join(tmpdir(), "partita-bank-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
