// A thread that opens the environment of tests/thread/environment.thread.test.ts beside other
// openings.
// It answers each message, and ends by itself or is ended with its openings still there.

import { parentPort, workerData } from "node:worker_threads";
import { Environment } from "../../store/environment.js";

/** What the thread is started with. */
export interface EnvironmentThreadData {
  readonly path: string;
  readonly readOnly: boolean;
}

/** `read` answers with the version of the row, `write` writes that version, `close` ends. */
export type EnvironmentThreadCall =
  | { readonly call: "read" }
  | { readonly call: "write"; readonly version: number }
  | { readonly call: "close" };

const row = { table: 16, key: new TextEncoder().encode("key"), value: new Uint8Array(100) };

if (parentPort !== null) {
  const port = parentPort;
  // cast: the test that starts the thread gives this
  const { path, readOnly } = workerData as EnvironmentThreadData;
  const environment = Environment.open(path, { taskId: 1, readOnly });
  port.on("message", (message: EnvironmentThreadCall) => {
    if (message.call === "close") {
      void environment.close().then(() => port.close());
      return;
    }
    if (message.call === "write") environment.applyStep([{ ...row, version: message.version }]);
    environment.refresh();
    port.postMessage(environment.get(row.table, row.key)?.version ?? 0);
  });
  port.postMessage("ready");
}
