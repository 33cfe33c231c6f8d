// `npm run example -- NAME [arguments]`: runs one example; `--help` lists them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root, runNode, runScript } from "./prepare.mjs";

await runScript(async () => {
  const [name, ...rest] = process.argv.slice(2);
  if (name === undefined || name === "--help" || name === "-h") {
    console.log(usage());
    if (name === undefined) process.exitCode = 2;
    return;
  }
  if (!exampleNames().includes(name)) {
    throw new Error(`there is no example "${name}"; there are: ${exampleNames().join(", ")}`);
  }
  if (rest.length > 0 && !existsSync(join(root, "examples", name, "options.ts"))) {
    throw new Error(
      `example "${name}" takes no arguments; examples/${name}/README.md describes it`,
    );
  }
  await ensureInstalled();
  await ensureBuilt();
  await runNode(["--enable-source-maps", `dist/examples/${name}/main.js`, ...rest]);
});

function usage() {
  const names = exampleNames();
  const width = Math.max(0, ...names.map((name) => name.length));
  const lines = names.map((name) => `  ${name.padEnd(width)}  ${summary(name)}`.trimEnd());
  return ["usage: npm run example -- NAME [arguments]", "", ...lines].join("\n");
}

/** @returns {string[]} the folders of examples/ that can be run, sorted */
function exampleNames() {
  const folder = join(root, "examples");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "main.ts")))
    .sort();
}

/**
 * @param {string} name
 * @returns {string} the first sentence of the example's README under its title
 */
function summary(name) {
  const readme = join(root, "examples", name, "README.md");
  if (!existsSync(readme)) return "";
  const paragraph = readFileSync(readme, "utf8")
    .split(/\n\s*\n/)
    .find((block) => !block.trim().startsWith("#"));
  const text = (paragraph ?? "").replace(/\s+/g, " ").trim();
  return /^.*?[.!?](?=\s|$)/.exec(text)?.[0] ?? text;
}
