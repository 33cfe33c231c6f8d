// `npm run bench`: ours beside its peers. Installs and builds first when that is needed, the peers
// too. Collects garbage between measurements, hence the flag.
import { ensureBenchReady, ensureBuilt, ensureInstalled, runNode, runScript } from "./prepare.mjs";

await runScript(async () => {
  await ensureInstalled();
  await ensureBuilt();
  await ensureBenchReady();
  // What waits is measured in memory too, of which the maps of our sources take a part.
  const maps = process.argv.includes("--waiting") ? [] : ["--enable-source-maps"];
  const flags = [...maps, "--expose-gc"];
  await runNode([...flags, "bench/dist/main.js", ...process.argv.slice(2)]);
});
