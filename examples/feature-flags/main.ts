import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import { changeFlags } from "./change.js";
import topology, { flagsKey } from "./topology.js";

const changesPerOperator = 100;

async function main(directory: string): Promise<void> {
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });
  const config = runtime.store("config");
  const render = runtime.agent("render");

  const switcher = async (): Promise<void> => {
    for (let i = 0; i < changesPerOperator; i++) {
      await changeFlags(config, (flags) => ({ newUi: !flags.newUi, newApi: !flags.newApi }));
    }
  };
  const roller = async (): Promise<void> => {
    for (let i = 1; i <= changesPerOperator; i++)
      await changeFlags(config, () => ({ betaPercent: i }));
  };

  let [pages, mixed, operating] = [0, 0, true];
  const operators = Promise.all([switcher(), roller()]).finally(() => (operating = false));
  while (operating) {
    const page = await render.invoke({ userNumber: pages });
    pages += 1;
    if ((page.ui === "new") !== (page.api === "v2")) mixed += 1;
  }
  await operators;
  console.log(`${pages} pages rendered during the changes, ${mixed} of them mixed`);
  console.log("flags:", await config.get(flagsKey));
}

const directory = await mkdtemp(join(tmpdir(), "partita-feature-flags-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
