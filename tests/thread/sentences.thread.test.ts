// The sentences of agents.md, on two task threads, from compiled files. Where one speaks of retries
// both threads die in between.

import { launch } from "../../dist/index.js";
import type { Runtime } from "../../launch.js";
import { effectSentences } from "../support/agent-sentences/effects.js";
import { graphSentences } from "../support/agent-sentences/graphs.js";
import { humanSentences } from "../support/agent-sentences/humans.js";
import { objectSentences } from "../support/agent-sentences/objects.js";
import { recordSentences } from "../support/agent-sentences/records.js";
import { retrySentences } from "../support/agent-sentences/retries.js";
import { scopeSentences } from "../support/agent-sentences/scopes.js";
import { stallSentences } from "../support/agent-sentences/stalls.js";
import type { Implementation } from "../support/agent-sentences/stage.js";
import { streamSentences } from "../support/agent-sentences/streams.js";
import { updateSentences } from "../support/agent-sentences/updates.js";

const onThreads: Implementation = {
  threads: 2,
  async launch(declared, options) {
    const file = declared.module.replace("/tests/", "/dist/tests/").replace(/\.ts$/, ".js");
    // cast: compiled modules of topologies export them.
    const module = (await import(file)) as { readonly default: Parameters<typeof launch>[0] };
    const runtime: unknown = await launch(module.default, options);
    // cast: this topology, and the package, are compiled from these sources.
    return runtime as Runtime<(typeof declared)["parts"]>;
  },
};

effectSentences(onThreads);
graphSentences(onThreads);
scopeSentences(onThreads);
retrySentences(onThreads);
stallSentences(onThreads);
updateSentences(onThreads);
recordSentences(onThreads);
streamSentences(onThreads);
humanSentences(onThreads);
objectSentences(onThreads);
