// The sentences of agents.md, inline: every task on the thread of the test. The same on real
// threads: tests/thread/sentences.thread.test.ts.

import { launch } from "../../../launch.js";
import { effectSentences } from "../../support/agent-sentences/effects.js";
import { graphSentences } from "../../support/agent-sentences/graphs.js";
import { humanSentences } from "../../support/agent-sentences/humans.js";
import { objectSentences } from "../../support/agent-sentences/objects.js";
import { recordSentences } from "../../support/agent-sentences/records.js";
import { retrySentences } from "../../support/agent-sentences/retries.js";
import { scopeSentences } from "../../support/agent-sentences/scopes.js";
import { stallSentences } from "../../support/agent-sentences/stalls.js";
import type { Implementation } from "../../support/agent-sentences/stage.js";
import { streamSentences } from "../../support/agent-sentences/streams.js";
import { updateSentences } from "../../support/agent-sentences/updates.js";

const inline: Implementation = { threads: 0, launch };

effectSentences(inline);
graphSentences(inline);
scopeSentences(inline);
retrySentences(inline);
stallSentences(inline);
updateSentences(inline);
recordSentences(inline);
streamSentences(inline);
humanSentences(inline);
objectSentences(inline);
