// `npm start`: the main job, on real data. Installs and builds first when that is needed.
import { ensureBuilt, ensureInstalled, runNode, runScript } from "./prepare.mjs";

await runScript(async () => {
  await ensureInstalled();
  await ensureBuilt();
  await runNode([
    "--enable-source-maps",
    "dist/examples/flights/main.js",
    ...process.argv.slice(2),
  ]);
});
