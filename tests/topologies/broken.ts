// Broken — a module that can be imported on the launching thread and nowhere else.

import { isMainThread } from "node:worker_threads";
import { keyValueStore, string, topology, type } from "../../index.js";

// The main thread of the process, or the process of a test.
if (!isMainThread) throw new Error("this module fails on task threads");

const texts = keyValueStore({ key: string, value: type<string>() });

export default topology("broken", import.meta.url, { stores: { texts } });
