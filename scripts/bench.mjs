// `npm run bench`: ours beside its peers. Installs and builds first when that is needed, the peers
// too. Collects garbage between measurements, hence the flag.
import { ensureBenchReady, ensureBuilt, ensureInstalled, runNode, runScript } from "./prepare.mjs";

await runScript(async () => {
  await ensureInstalled();
  await ensureBuilt();
  await ensureBenchReady();
  // Without source maps, like a user's own program: each thread would read them at its start.
  await runNode(["--expose-gc", "bench/dist/main.js", ...process.argv.slice(2)]);
});
