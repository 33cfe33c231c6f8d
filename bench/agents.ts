// Agents — the library's durable agents of two nodes as subjects.

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

/** Each invocation emits to its second node, which gives what it was sent as the result. */
export function relays(label: string, inFlightMax: number): SubjectSpec {
  return {
    ours: true,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { path } = await newCounters(stage);
      const runtime = await launchCounters(path);
      const close = stage.atEnd(() => runtime.close());
      const relay = runtime.agent("relay");
      const measure = async ({ ms }: Round) => {
        const load = { ms, inFlight: inFlightMax, signal: stage.signal };
        let right = 0;
        const { count, ...loaded } = await during(load, async (index) => {
          const sent = keyOf(index % manyKeys);
          if ((await relay.invoke(sent)) === sent) right += 1;
        });
        verify("results that are what was sent", right, count);
        return loaded;
      };
      return { measure, close };
    },
  };
}
