// Versions — one topology in three versions, whose agents have another graph in each.

import { agent, node, topology, type } from "../../index.js";
import { aborted, faults, hasNoted, note, place } from "./agents-notes.js";

type Mode = "continue" | "restart" | "drop";

/**
 * From "first" to "second", which stands still in versions that the input names; if it begins with
 * "fails", in the first version, and then it fails in its first attempt.
 */
const versioned = (version: number, updateMode: Mode, name: string) => {
  const plain = node({ input: type<string>() });
  const extra = Array.from({ length: version - 1 }, (_, n) => `extra${n}`);
  // cast: all of them are declared.
  const targets = ["second", ...extra] as "second"[];
  return agent({
    updateMode,
    entry: "first",
    result: type<string>(),
    nodes: {
      ...Object.fromEntries(extra.map((other) => [other, plain])),
      first: node({ input: type<string>(), to: targets }),
      second: plain,
    },
  }).implement({
    ...Object.fromEntries(extra.map((other) => [other, () => {}])),
    first(ctx, stands) {
      note(ctx, `${name} first by ${version}`);
      ctx.emit("second", stands);
    },
    async second(ctx, stands) {
      if (stands.startsWith("fails")) {
        if (version === 1) await place(ctx, `${name} ${stands}`);
        if (ctx.attempt === 0) throw new Error("the first attempt fails");
        return ctx.result(`by ${version} in ${ctx.attempt}`);
      }
      if (stands.includes(String(version))) await place(ctx, `${name} second of ${version}`);
      // It may be quicker than the news that its invocation begins again.
      const isEarly = updateMode === "restart" && stands === "1" && version === 2;
      if (isEarly && !hasNoted(ctx, `${name} first by 2`)) await aborted(ctx.signal);
      note(ctx, `${name} second by ${version}`);
      ctx.result(`by ${version}`);
    },
  });
};

/** The topology in one of its versions, as the module `url` exports it. */
export function versions(version: number, url: string) {
  return topology("agents-versions", url, {
    stores: { faults },
    agents: {
      goesOn: versioned(version, "continue", "goesOn"),
      restarts: versioned(version, "restart", "restarts"),
      drops: versioned(version, "drop", "drops"),
    },
  });
}
