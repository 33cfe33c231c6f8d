// A thread that sends back what it gets.

import { parentPort } from "node:worker_threads";

const port = parentPort;
if (port === null) throw new Error("this file is the entry of a thread");
port.on("message", (message) => port.postMessage(message));
port.postMessage("ready");
