// Piscina — an empty job in a pool of threads: what it costs to have another thread do something,
// without a store, without order and without a disk.

import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { CheckFailed, during } from "../measure.js";
import type { Round, SubjectSpec } from "../target.js";

const threads = 2;
const inFlightMax = 500;

export function piscinaJobs(label: string): SubjectSpec {
  return {
    ours: false,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const pool = new Piscina({
        filename: fileURLToPath(new URL("./piscina-job.js", import.meta.url)),
        minThreads: threads,
        maxThreads: threads,
        // The flags of this process are for its own collector.
        execArgv: [],
      });
      const close = stage.atEnd(() => pool.destroy());
      const measure = async ({ ms }: Round) => {
        const load = { ms, inFlight: inFlightMax, signal: stage.signal };
        const { count: _, ...loaded } = await during(load, async (index) => {
          const reply: unknown = await pool.run(index, { name: "increment" });
          if (reply !== index + 1) throw new CheckFailed(`job ${index} returned ${String(reply)}`);
        });
        return loaded;
      };
      return { measure, close };
    },
  };
}
