// Tale mutants — rules of streams and forks, each broken by a replacement in the compiled code.

import type { BrokenRule } from "./mutants.js";

export const tales: readonly BrokenRule[] = [
  {
    name: "chunks-not-awaited",
    rule: "a node's chunks are durable before its completion is",
    file: "agents/node/active-node.js",
    find: "await this.#chunks?.drained();",
    replace: "",
  },
  {
    name: "no-reset",
    rule: "index 0 of another run begins the list anew",
    file: "agents/home/streams.js",
    find: "before.generation + 1",
    replace: "before.generation",
  },
  {
    name: "chunks-lost-with-the-home",
    rule: "what a dying home task did not answer is sent again",
    file: "agents/node/chunk-sender.js",
    find: "this.#first += chunks.length;",
    replace: "this.#first += 0;",
  },
  {
    name: "follower-stands-still",
    rule: "who follows is told when there is more",
    file: "agents/home/followers.js",
    find: "for (const thread of threads)",
    replace: "for (const thread of [])",
  },
  {
    name: "fork-forgotten",
    rule: "a fork that was accepted is made, whatever dies",
    file: "agents/home/forks.js",
    find: `if (copying)
            this.#submitStep(id);`,
    replace: "",
  },
  {
    name: "fork-runs-nothing",
    rule: "what is changed in a fork runs",
    file: "agents/home/forks.js",
    find: "turn.send(task, run);",
    replace: "",
  },
];
