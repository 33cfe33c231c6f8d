import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import topology from "./topology.js";

const limits = [1_000_000, 1_100_000, 1_200_000, 1_300_000];
const options = { tasks: 4, threads: 2 };

async function main(directory: string): Promise<void> {
  {
    await using runtime = await launch(topology, { directory, ...options });
    const lookup = runtime.agent("lookup");
    // A hundred requests at once for four limits, none of which is cached yet.
    const requests = Array.from({ length: 100 }, (_, i) => limits[i % limits.length] ?? 0);
    const answers = await Promise.all(requests.map((limit) => lookup.invoke({ limit })));
    const computed = answers.filter((answer) => !answer.cached).length;
    console.log(`${answers.length} answers, ${computed} of them computed`);
  }
  await using runtime = await launch(topology, { directory, ...options });
  for (const limit of limits) {
    const { primes, cached } = await runtime.agent("lookup").invoke({ limit });
    console.log(`after a restart: ${primes} primes up to ${limit}, cached: ${cached}`);
  }
}

const directory = await mkdtemp(join(tmpdir(), "partita-cache-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
