// `npm run sim`, `torture`, `powercut`, `faults`, `histories`: the commands that try to break the
// guarantees. Installs and builds first when that is needed.
import { ensureBuilt, ensureInstalled, runNode, runScript } from "./prepare.mjs";

await runScript(async () => {
  const [name = "", ...rest] = process.argv.slice(2);
  await ensureInstalled();
  await ensureBuilt();
  await runNode(["--enable-source-maps", `dist/trials/${name}/main.js`, ...rest]);
});
