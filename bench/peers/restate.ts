// Restate — its server on free ports of the loopback interface, as it comes, with a service and a
// virtual object whose handlers are served by a thread of this process, and called through its HTTP
// ingress.

import { once } from "node:events";
import { createRequire } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { connect } from "@restatedev/restate-sdk-clients";
import { freePort, startServer } from "../child.js";
import { keyOf, manyKeys } from "../counters.js";
import { during, inFlight, verify } from "../measure.js";
import type { Stage } from "../stage.js";
import { PeerMissing, type Round, type SubjectSpec } from "../target.js";
import type { Counter, Relay } from "./restate-service.js";

const require = createRequire(import.meta.url);

/** More than are in flight: no call waits for another of its key. */
const objects = 1_000;
const registerMs = 30_000;
/** Characters: calls that fail are tried again and again, and each is complained about. */
const complaintsShown = 1_000;

/** Calls of a handler that gives what it was sent. */
export function restateRelays(label: string, inFlightMax: number): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { url, close } = await sharedRestate(stage);
      const client = connect({ url }).serviceClient<Relay>({ name: "relay" });
      const measure = async ({ ms }: Round) => {
        let right = 0;
        const call = async (index: number): Promise<void> => {
          const sent = keyOf(index % manyKeys);
          if ((await client.pass(sent)) === sent) right += 1;
        };
        const load = { ms, inFlight: inFlightMax, signal: stage.signal };
        const { count, ...loaded } = await during(load, call);
        verify("results that are what was sent", right, count);
        return loaded;
      };
      return { measure, close };
    },
  };
}

/** Calls of a handler that reads and writes the state of its key. */
export function restateCalls(label: string, inFlightMax: number): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { url, close } = await sharedRestate(stage);
      const ingress = connect({ url });
      const clients = Array.from({ length: objects }, (_, index) =>
        ingress.objectClient<Counter>({ name: "counter" }, keyOf(index)),
      );
      let added = 0;
      const call = async (index: number) => await clients[index % objects]?.add(1);
      const measure = async ({ ms }: Round) => {
        const load = { ms, inFlight: inFlightMax, signal: stage.signal };
        const before = added;
        const { count, ...loaded } = await during(load, (index) => call(before + index));
        added += count;
        let sum = 0;
        await inFlight(objects, inFlightMax, async (index) => {
          const count = (await clients[index]?.read()) ?? 0;
          sum += count;
        });
        verify("sum of all objects", sum, added);
        return loaded;
      };
      return { measure, close };
    },
  };
}

/** One server for both, which goes with the first of them: then nobody measures any more. */
function sharedRestate(stage: Stage) {
  return stage.shared("restate", () => openRestate(stage));
}

async function openRestate(stage: Stage) {
  const command = findServer();
  const service = await startService(stage);
  const [ingress, admin, node] = [await freePort(), await freePort(), await freePort()];
  const address = (port: number) => `127.0.0.1:${port}`;
  const server = await startServer(stage, {
    command,
    args: ["--no-logo", "--base-dir", await stage.newDirectory("restate")],
    env: {
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_ADDRESS: address(node),
      RESTATE_ADVERTISED_ADDRESS: `http://${address(node)}`,
      RESTATE_ADMIN__BIND_ADDRESS: address(admin),
      RESTATE_INGRESS__BIND_ADDRESS: address(ingress),
      RESTATE_LOG_FILTER: "warn",
      RESTATE_DISABLE_TELEMETRY: "true",
    },
    port: admin,
  });
  await register(`http://${address(admin)}`, `http://${address(service.port)}`, stage.signal);
  const close = stage.atEnd(async () => {
    await server.stop();
    await service.stop();
  });
  return { url: `http://${address(ingress)}`, close };
}

function findServer(): string {
  const { platform, arch } = process;
  try {
    return require.resolve(`@restatedev/restate-server-${platform}-${arch}/bin/restate-server`);
  } catch {
    const install = `npm ci --prefix bench (there is none for ${platform} on ${arch})`;
    throw new PeerMissing("restate-server", install);
  }
}

async function startService(stage: Stage) {
  const url = new URL("./restate-service.js", import.meta.url);
  const env = { ...process.env, RESTATE_LOGGING: "ERROR" };
  const worker = new Worker(url, { env, execArgv: [], stdout: true, stderr: true });
  let complaints = "";
  worker.stderr.on("data", (bytes: Buffer) => {
    complaints = (complaints + bytes.toString("utf8")).slice(0, complaintsShown);
  });
  const stop = stage.atEnd(async () => {
    await worker.terminate();
    if (complaints !== "") console.error(`restate-sdk: ${complaints}`);
  });
  const [port]: unknown[] = await once(worker, "message", { signal: stage.signal });
  if (typeof port !== "number") throw new Error("the service has no port");
  return { port, stop };
}

/** Tells the server of the service, as soon as it listens. */
async function register(admin: string, uri: string, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + registerMs;
  for (;;) {
    const answer = await post(`${admin}/deployments`, { uri }, signal).catch(String);
    if (answer === "") return;
    if (performance.now() > giveUpAt) throw new Error(`restate refused the service: ${answer}`);
    await delay(100, undefined, { signal });
  }
}

/** Empty when it went well, else what was answered. */
async function post(url: string, body: object, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const text = await response.text();
  return response.ok ? "" : `${response.status} ${text}`;
}
