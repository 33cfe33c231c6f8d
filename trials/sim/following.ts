// Following — somebody who follows the chunks of a story, over the deaths of the process.

import { Followed, FollowedRelay } from "./followed.js";
import type { Run, ToldStory } from "./run.js";

/**
 * Follows all parts of a story, or the first that streams, until it has got everything once without
 * a break. `isLate`: all of it is there already.
 */
export async function follow(
  run: Run,
  { agent, invocationId, story }: ToldStory,
  of: "all" | "first",
  isLate: boolean,
): Promise<void> {
  const what = `${of} of ${story.id}`;
  const invocation = run.runtime.agent(agent).get(invocationId);
  const node = agent === "stories" ? "tell" : "relay";
  await run.persistently(`follow ${what}`, async () => {
    const followed = agent === "stories" ? new Followed(what, isLate) : new FollowedRelay(what);
    try {
      const stream = of === "all" ? invocation.streamAll(node) : invocation.stream(node);
      for await (const event of stream) followed.take(event);
      followed.end(story, of);
    } finally {
      run.violations.push(...followed.problems);
    }
  });
}
