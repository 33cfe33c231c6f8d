// Counts — the store in which agents of the trial count what they do: 1 under a name is once.

import { keyValueStore, reply, string, type } from "../../index.js";

export const counts = keyValueStore({
  key: string,
  value: type<number>(),
  updates: {
    add: (count = 0, by: number) => count + by,
    /** Its reply is larger than what is remembered of a call with an id: it is refused. */
    bloat: (count = 0) => reply(count + 1, "x".repeat(600_000)),
  },
});
