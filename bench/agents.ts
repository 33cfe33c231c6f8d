// Agents — the library's durable two-node agent as a subject.

import { during, verify } from "./measure.js";
import { keyOf, launchCounters, manyKeys, newCounters } from "./counters.js";
import type { Round, SubjectSpec } from "./target.js";

/** Each invocation emits to its second node, which updates a counter and gives the result. */
export function pairs(label: string, inFlightMax: number): SubjectSpec {
  return {
    ours: true,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { path } = await newCounters(stage);
      const runtime = await launchCounters(path);
      const close = stage.atEnd(() => runtime.close());
      const pair = runtime.agent("pair");
      let invoked = 0;
      const measure = async ({ ms }: Round) => {
        const load = { ms, inFlight: inFlightMax, signal: stage.signal };
        const before = invoked;
        const { count, ...loaded } = await during(load, (index) =>
          pair.invoke(keyOf((before + index) % manyKeys)),
        );
        invoked += count;
        let sum = 0;
        for await (const [, runs] of runtime.store("counters").entries()) sum += runs;
        verify("runs of the second node", sum, invoked);
        return loaded;
      };
      return { measure, close };
    },
  };
}
