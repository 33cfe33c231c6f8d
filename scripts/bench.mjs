// `npm run bench`: our own figures. Installs and builds first when that is needed.
import { ensureBuilt, ensureInstalled, runNode, runScript } from "./prepare.mjs";

await runScript(async () => {
  await ensureInstalled();
  await ensureBuilt();
  await runNode(["--enable-source-maps", "dist/bench/main.js", ...process.argv.slice(2)]);
});
