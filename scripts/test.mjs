// `npm test`: the whole suite, or what the arguments name. The suite builds `dist` itself when it
// comes to tests that need it (tests/support/build-dist.ts).
import { ensureInstalled, runNode, runScript } from "./prepare.mjs";

await runScript(async () => {
  await ensureInstalled();
  await runNode(["node_modules/vitest/vitest.mjs", "run", ...process.argv.slice(2)]);
});
