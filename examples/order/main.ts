import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import { handle, orders, trouble } from "./day.js";
import { startPayments } from "./payments.js";
import topology from "./topology.js";

async function main(directory: string): Promise<void> {
  await using payments = await startPayments(trouble);
  process.env["PAYMENTS_URL"] = payments.url;
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });
  await runtime.store("stock").update("receive", "hat", 20);

  const outcomes = await Promise.all(orders.map((placed) => handle(runtime, placed)));
  for (const [index, { order }] of orders.entries()) {
    const requests = payments.requests.get(order) ?? 0;
    console.log(`${order.padEnd(4)} ${outcomes[index]}, after ${requests} requests to pay`);
  }
  const stock = await runtime.store("stock").get("hat");
  console.log(
    `${stock?.shipped} hats shipped, ${stock?.free} free, ${stock?.reserved.size} reserved`,
  );
  console.log("money kept:", payments.charged);
}

const directory = await mkdtemp(join(tmpdir(), "partita-order-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
