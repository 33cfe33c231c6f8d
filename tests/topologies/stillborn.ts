// Stillborn — a module that ends every task thread that imports it.

import { isMainThread } from "node:worker_threads";
import { keyValueStore, string, topology, type } from "../../index.js";

if (!isMainThread) process.exit(4);

const texts = keyValueStore({ key: string, value: type<string>() });

export default topology("stillborn", import.meta.url, { stores: { texts } });
