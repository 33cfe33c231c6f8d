import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import topology from "./topology.js";

const pages = ["/", "/docs", "/about"];
const clientCount = 50;
const viewsPerClient = 100;

async function main(directory: string): Promise<void> {
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });

  const numbers = new Set<number>();
  const clients = Array.from({ length: clientCount }, async (_, client) => {
    const view = runtime.agent("view");
    for (let i = 0; i < viewsPerClient; i++) {
      // Every client is here at the same time, and all of them increment "page-views".
      numbers.add(await view.invoke({ page: pages[(client + i) % pages.length] ?? "/" }));
    }
  });
  await Promise.all(clients);

  for await (const [counter, count] of runtime.store("counters").entries()) {
    console.log(`${counter}: ${count}`);
  }
  console.log(`${clientCount * viewsPerClient} views, ${numbers.size} different numbers`);
}

const directory = await mkdtemp(join(tmpdir(), "partita-counters-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
