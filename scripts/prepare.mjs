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

import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";

/** The folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Oldest Node that runs Partita; the same as `engines` in package.json. */
const nodeVersionMin = /** @type {const} */ ([20, 19]);

/** What the build reads besides tsconfig; the same as `include` in tsconfig.build.json. */
const sourceFolders = [
  "base",
  "store",
  "runtime",
  "agents",
  "testing",
  "examples",
  "bench",
  "trials",
  "tests/topologies",
];
const sourceFiles = ["index.ts", "launch.ts", "internal.ts"];
const settingFiles = ["tsconfig.json", "tsconfig.build.json", "package-lock.json"];

const lockfile = join(root, "package-lock.json");
const installStamp = join(root, "node_modules", ".package-lock.json");
const dist = join(root, "dist");
const buildStamp = join(dist, ".built");

/**
 * Runs `npm ci` when `node_modules` is missing or older than `package-lock.json`; ends the process
 * with status 1 and one plain line when this Node is too old.
 * @returns {Promise<void>}
 */
export async function ensureInstalled() {
  requireNode();
  if (installReason() === undefined) return;
  await withLock(lockDirectory("install"), async () => {
    const reason = installReason();
    if (reason === undefined) return;
    say(`installing dependencies (${reason})`);
    await runQuietly("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"]);
  });
}

/**
 * Compiles the sources to `dist` when one of them is newer than the last build, is new or is gone.
 * @returns {Promise<void>}
 */
export async function ensureBuilt() {
  if (buildReason() === undefined) return;
  await withLock(lockDirectory("build"), async () => {
    const reason = buildReason();
    if (reason === undefined) return;
    say(`building (${reason})`);
    mkdirSync(dist, { recursive: true });
    const stampInProgress = join(dist, ".building");
    // Written, not dated by hand: the stamp and the sources then carry the same clock's time (P2).
    writeFileSync(stampInProgress, listSources().join("\n"));
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    await runQuietly(process.execPath, [compiler, "-p", "tsconfig.build.json"]);
    removeOutputsWithoutSource();
    renameSync(stampInProgress, buildStamp);
  });
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

/** @returns {string | undefined} why an install is needed */
function installReason() {
  if (!existsSync(join(root, "node_modules"))) return "node_modules is missing";
  const stamp = statSync(installStamp, { throwIfNoEntry: false });
  if (stamp === undefined) return "node_modules is incomplete";
  if (stamp.mtimeMs < statSync(lockfile).mtimeMs) return "node_modules is older than the lockfile";
  return undefined;
}

/** @returns {string | undefined} why a build is needed */
function buildReason() {
  const stamp = statSync(buildStamp, { throwIfNoEntry: false });
  if (stamp === undefined) return "dist is missing";
  const sources = listSources();
  if (readFileSync(buildStamp, "utf8") !== sources.join("\n"))
    return "a source was added or removed";
  for (const file of [...sources, ...settingFiles]) {
    const stat = statSync(join(root, file), { throwIfNoEntry: false });
    if (stat !== undefined && stat.mtimeMs >= stamp.mtimeMs) return `${file} is newer than dist`;
  }
  return undefined;
}

/** @returns {string[]} paths from the root, with "/", sorted */
function listSources() {
  const found = sourceFiles.filter((file) => existsSync(join(root, file)));
  for (const folder of sourceFolders) {
    found.push(...listFiles(join(root, folder)).map((file) => `${folder}/${file}`));
  }
  return found.filter((file) => file.endsWith(".ts")).sort();
}

function removeOutputsWithoutSource() {
  for (const file of listFiles(dist)) {
    const source = file.replace(/\.(?:js|d\.ts)(?:\.map)?$/, ".ts");
    if (source !== file && !existsSync(join(root, source))) rmSync(join(dist, file));
  }
}

/**
 * @param {string} folder
 * @returns {string[]} every file below it as a path from it, with "/"; none when it is missing
 */
function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((file) => file.replaceAll("\\", "/"));
}

/**
 * Runs a command; what it prints is shown only when it fails, as part of the error.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<void>}
 */
function runQuietly(command, args) {
  return new Promise((resolve, reject) => {
    const shell = process.platform === "win32" && command === "npm";
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], shell });
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
