// Checker — a process that opens images, one after the other, and says what is wrong with them. An
// image may take it down: the pool that started it (checker-pool.ts) notes it and starts another.

import { fileURLToPath } from "node:url";
import { launch, PartitaError } from "../../index.js";
import type { Finding } from "./judge.js";
import type { Known } from "./known.js";
import topology from "./topology.js";
import { verify } from "./verify.js";

/** An image to look at. */
export interface CheckRequest {
  readonly directory: string;
  readonly known: Known;
  readonly tasks: number;
}

export interface CheckReply {
  readonly findings: readonly Finding[];
}

const arenaBytes = 1_048_576;

async function check({ directory, known, tasks }: CheckRequest): Promise<readonly Finding[]> {
  try {
    await using runtime = await launch(topology, { directory, tasks, threads: 0, arenaBytes });
    return await verify(runtime, known);
  } catch (error) {
    const name = PartitaError.is(error) ? error.code : "it failed";
    const text = error instanceof Error ? error.message : String(error);
    return [{ wrong: "lost", what: `the image was refused (${name}): ${text}` }];
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on("message", (message) => {
    // cast: whoever starts this process sends CheckRequests.
    const request = message as CheckRequest;
    void check(request).then((findings) => process.send?.({ findings }));
  });
}
