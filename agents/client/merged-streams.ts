// Merged streams — several streams as one: the events of all, as they come.
//
// Owns: asking each for its next event once the one before has been taken. Leaves to others: what
// each follows (stream-client.ts), and ending those that are left when the whole is ended early.

import type { NodeInvocationId } from "../wire/invocation-id.js";
import type { StreamState } from "../wire/stream-message.js";
import type { StreamEvent } from "./stream.js";

/** How a stream came to its end. */
export type StreamEnd = Exclude<StreamState, "more" | "open">;

export type Following = AsyncGenerator<StreamEvent, StreamEnd>;

type Ids = AsyncGenerator<NodeInvocationId, StreamEnd>;

/** One answer of one of them. */
type Step =
  | { readonly ids: IteratorResult<NodeInvocationId, StreamEnd> }
  | { readonly of: Following; readonly event: IteratorResult<StreamEvent, StreamEnd> }
  | { readonly error: unknown };

/** Events of all node invocations that `ids` gives; ends when it and all of these have ended. */
export async function* merged(ids: Ids, follow: (id: NodeInvocationId) => Following): Following {
  const steps: Step[] = [];
  let wake = (): void => {};
  const arrived = (step: Step): void => {
    steps.push(step);
    wake();
  };
  const failed = (error: unknown): void => arrived({ error });
  const nextId = (): void => void ids.next().then((result) => arrived({ ids: result }), failed);
  const nextOf = (of: Following): void =>
    void of.next().then((event) => arrived({ of, event }), failed);
  let end: StreamEnd = "ended";
  nextId();
  for (let open = 1; open > 0; ) {
    const step = steps.shift();
    if (step === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    if ("error" in step) throw step.error;
    const result = "of" in step ? step.event : step.ids;
    if (result.done === true) {
      open -= 1;
      // One that has finished before says nothing about the whole.
      if (result.value !== "completed" && result.value !== "ended") end = result.value;
    } else if ("of" in step) {
      if (step.event.done !== true) yield step.event.value;
      nextOf(step.of);
    } else if (step.ids.done !== true) {
      open += 1;
      nextOf(follow(step.ids.value));
      nextId();
    }
  }
  return end;
}
