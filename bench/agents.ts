// Agents — the library's durable agents of two nodes as subjects.

import { keyOf, type Launched, launchCounters, manyKeys, newCounters } from "./counters.js";
import { during, verify } from "./measure.js";
import type { SubjectSpec } from "./target.js";

/** What is done again and again, and how it is known that it was done right. */
interface Work {
  /** `no`: counted over all measurements. */
  call(no: number): Promise<unknown>;
  /** @throws CheckFailed when `count` calls so far have not done what they should */
  check(count: number): Promise<void>;
}

/** Each invocation emits to its second node, which gives what it was sent as the result. */
export function relays(label: string, inFlightMax: number): SubjectSpec {
  return agents(label, inFlightMax, (runtime) => {
    const relay = runtime.agent("relay");
    let right = 0;
    return {
      async call(no) {
        const sent = keyOf(no % manyKeys);
        if ((await relay.invoke(sent)) === sent) right += 1;
      },
      check: async (count) => verify("results that are what was sent", right, count),
    };
  });
}

/** Each invocation emits to its second node, which updates a counter and gives the result. */
export function pairs(label: string, inFlightMax: number): SubjectSpec {
  return agents(label, inFlightMax, (runtime) => {
    const pair = runtime.agent("pair");
    return {
      call: (no) => pair.invoke(keyOf(no % manyKeys)),
      async check(count) {
        let sum = 0;
        for await (const [, runs] of runtime.store("counters").entries()) sum += runs;
        verify("runs of the second node", sum, count);
      },
    };
  });
}

function agents(
  label: string,
  inFlightMax: number,
  begin: (runtime: Launched) => Work,
): SubjectSpec {
  return {
    ours: true,
    shown: [{ figure: "perSecond", label }],
    open: async (stage) => {
      const { path } = await newCounters(stage);
      const runtime = await launchCounters(path);
      const close = stage.atEnd(() => runtime.close());
      const work = begin(runtime);
      let called = 0;
      return {
        async measure({ ms }) {
          const load = { ms, inFlight: inFlightMax, signal: stage.signal };
          const before = called;
          const { count, ...loaded } = await during(load, (index) => work.call(before + index));
          called += count;
          await work.check(called);
          return loaded;
        },
        close,
      };
    },
  };
}
