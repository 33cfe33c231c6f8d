// Set-up for every command: install when the lockfile asks for it, build when a source is newer.
//
// Plain Node without dependencies, since it runs before anything is installed. What it does it says
// in one line on standard error; when there is nothing to do it says nothing. What to run
// afterwards is left to the scripts that import it. Run by itself (`npm run build`) it installs and
// builds.
//
// Invariants:
//   P1. Two processes never install or build at the same time in one checkout: each takes the lock
//       first (lock.mjs), and looks again whether its work is still needed once it has it.
//   P2. The build stamp carries the time at which its build began, so a source that is saved while
//       the compiler runs is built again. A build that fails leaves no new stamp.
//   P3. `dist` is written over, never emptied: a program that runs from it keeps its files. What
//       has no source any more is removed when the build is done.
//   P4. The benchmark is a package of its own in `bench`, with what it compares the library with:
//       only the commands that measure install and build it, against the library's `dist`.

import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";

/** The folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Oldest Node that runs Partita; the same as `engines` in package.json. */
const nodeVersionMin = /** @type {const} */ ([20, 19]);

/**
 * What is installed and built together.
 * @typedef {object} Project
 * @property {string} name as its locks and messages call it
 * @property {string} folder with package.json, package-lock.json, node_modules and dist
 * @property {readonly string[]} sourceFolders from the folder; what the build reads
 * @property {readonly string[]} sourceFiles
 * @property {string} tsconfig what it is built with, from the folder
 * @property {readonly string[]} settings files that a build depends on besides, from the folder
 * @property {string} [bundler] a script that makes of the compiled project what it publishes
 */

/** @type {Project} The same sources as `include` in tsconfig.build.json. */
const library = {
  name: "",
  folder: root,
  sourceFolders: [
    "base",
    "store",
    "runtime",
    "agents",
    "testing",
    "examples",
    "trials",
    "tests/topologies",
  ],
  sourceFiles: ["index.ts", "launch.ts", "internal.ts"],
  tsconfig: "tsconfig.build.json",
  settings: ["tsconfig.json", "tsconfig.build.json", "package-lock.json", "scripts/bundle.mjs"],
  bundler: "scripts/bundle.mjs",
};

/** @type {Project} */
const benchmark = {
  name: "bench",
  folder: join(root, "bench"),
  sourceFolders: ["."],
  sourceFiles: [],
  tsconfig: "tsconfig.json",
  settings: ["tsconfig.json", "package-lock.json", "../tsconfig.json", "../dist/.built"],
};

/**
 * Runs `npm ci` when `node_modules` is missing or older than `package-lock.json`; ends the process
 * with status 1 and one plain line when this Node is too old.
 * @returns {Promise<void>}
 */
export async function ensureInstalled() {
  requireNode();
  await install(library);
}

/**
 * Compiles the sources to `dist` when one of them is newer than the last build, is new or is gone.
 * @returns {Promise<void>}
 */
export async function ensureBuilt() {
  await build(library);
}

/**
 * The same for the benchmark (P4), once the library is built. It finds the library as its users
 * do, under the name in package.json.
 * @returns {Promise<void>}
 */
export async function ensureBenchReady() {
  await install(benchmark);
  await linkLibrary(join(benchmark.folder, "node_modules", "partita"));
  await build(benchmark);
}

/** @param {Project} project */
async function install(project) {
  if (installReason(project) === undefined) return;
  await withLock(lockDirectory(`${project.name}install`), async () => {
    const reason = installReason(project);
    if (reason === undefined) return;
    say(`installing dependencies${ofProject(project)} (${reason})`);
    const args = ["ci", "--no-fund", "--no-audit", "--loglevel=error"];
    await runQuietly("npm", args, project.folder);
  });
}

/** @param {string} link */
async function linkLibrary(link) {
  if (existsSync(link)) return;
  await withLock(lockDirectory("benchinstall"), async () => {
    // A junction: on Windows links are for administrators only.
    if (!existsSync(link)) symlinkSync(root, link, "junction");
  });
}

/** @param {Project} project */
async function build(project) {
  if (buildReason(project) === undefined) return;
  await withLock(lockDirectory(`${project.name}build`), async () => {
    const reason = buildReason(project);
    if (reason === undefined) return;
    say(`building${ofProject(project)} (${reason})`);
    const dist = join(project.folder, "dist");
    mkdirSync(dist, { recursive: true });
    const stampInProgress = join(dist, ".building");
    // Written, not dated by hand: the stamp and the sources then carry the same clock's time (P2).
    writeFileSync(stampInProgress, listSources(project).join("\n"));
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    await runQuietly(process.execPath, [compiler, "-p", project.tsconfig], project.folder);
    removeOutputsWithoutSource(project);
    if (project.bundler !== undefined) {
      await runQuietly(process.execPath, [join(root, project.bundler)], project.folder);
    }
    renameSync(stampInProgress, buildStamp(project));
  });
}

/** @param {Project} project */
function ofProject({ name }) {
  return name === "" ? "" : ` of ${name}`;
}

/** @param {Project} project */
function buildStamp({ folder }) {
  return join(folder, "dist", ".built");
}

/**
 * Runs a Node program with this process's input and output, waits for its end and takes over its
 * exit status; a program that a signal ended counts as 128 and more, as in a shell.
 * @param {readonly string[]} args the program's file, then its arguments
 * @returns {Promise<void>}
 */
export async function runNode(args) {
  process.exitCode = await new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
    // Ctrl-C reaches the child too, and the child decides how to end: this process waits for it.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

/**
 * Runs the body of a script; a failure ends it with one plain message and status 1.
 * @param {() => Promise<void>} body
 * @returns {Promise<void>}
 */
export async function runScript(body) {
  try {
    await body();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [majorMin, minorMin] = nodeVersionMin;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  say(`needs Node.js ${majorMin}.${minorMin} or newer; this is Node.js ${process.versions.node}`);
  process.exit(1);
}

/**
 * @param {Project} project
 * @returns {string | undefined} why an install is needed
 */
function installReason({ folder }) {
  const modules = join(folder, "node_modules");
  if (!existsSync(modules)) return "node_modules is missing";
  const stamp = statSync(join(modules, ".package-lock.json"), { throwIfNoEntry: false });
  if (stamp === undefined) return "node_modules is incomplete";
  const lockfile = statSync(join(folder, "package-lock.json"));
  if (stamp.mtimeMs < lockfile.mtimeMs) return "node_modules is older than the lockfile";
  return undefined;
}

/**
 * @param {Project} project
 * @returns {string | undefined} why a build is needed
 */
function buildReason(project) {
  const stamp = statSync(buildStamp(project), { throwIfNoEntry: false });
  if (stamp === undefined) return "dist is missing";
  const sources = listSources(project);
  if (readFileSync(buildStamp(project), "utf8") !== sources.join("\n"))
    return "a source was added or removed";
  for (const file of [...sources, ...project.settings]) {
    const stat = statSync(join(project.folder, file), { throwIfNoEntry: false });
    if (stat !== undefined && stat.mtimeMs >= stamp.mtimeMs) return `${file} is newer than dist`;
  }
  return undefined;
}

/**
 * @param {Project} project
 * @returns {string[]} paths from its folder, with "/", sorted
 */
function listSources({ folder, sourceFolders, sourceFiles }) {
  const found = sourceFiles.filter((file) => existsSync(join(folder, file)));
  for (const name of sourceFolders) {
    const prefix = name === "." ? "" : `${name}/`;
    found.push(...listFiles(join(folder, name)).map((file) => prefix + file));
  }
  return found.filter((file) => file.endsWith(".ts")).sort();
}

/** @param {Project} project */
function removeOutputsWithoutSource(project) {
  const dist = join(project.folder, "dist");
  const sources = new Set(listSources(project));
  for (const file of listFiles(dist)) {
    if (file.startsWith("bundle/")) continue;
    const source = file.replace(/\.(?:js|d\.ts)(?:\.map)?$/, ".ts");
    if (source !== file && !sources.has(source)) rmSync(join(dist, file));
  }
}

/**
 * @param {string} folder
 * @returns {string[]} every file below it as a path from it, with "/"; none when it is missing.
 *   Folders of packages and of builds are left out
 */
function listFiles(folder, prefix = "") {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${prefix}${entry.name}`;
    if (entry.isFile()) return [path];
    if (!entry.isDirectory() || entry.name === "node_modules" || entry.name === "dist") return [];
    return listFiles(join(folder, entry.name), `${path}/`);
  });
}

/**
 * Runs a command; what it prints is shown only when it fails, as part of the error.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<void>}
 */
function runQuietly(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const shell = process.platform === "win32" && command === "npm";
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], shell });
    let output = "";
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString("utf8");
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.once("error", reject);
    child.once("close", (status) => {
      if (status === 0) return resolve();
      reject(new Error(`\`${command} ${args.join(" ")}\` failed:\n${output.trimEnd()}`));
    });
  });
}

/** @param {string} name */
function lockDirectory(name) {
  return join(root, ".partita", `${name}.lock`);
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`partita: ${line}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runScript(async () => {
    await ensureInstalled();
    await ensureBuilt();
  });
}
