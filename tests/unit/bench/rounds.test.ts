// Rounds of the benchmark — bugs here would look like a ratio of figures that were not measured
// side by side, like a peer that is missing and not said to be, like a server that goes on running.

import { describe, expect, it } from "vitest";
import { judge, verdictOf } from "../../../bench/judge.js";
import { CheckFailed } from "../../../bench/measure.js";
import { atLeast, atMost, PeerMissing, ratio } from "../../../bench/target.js";
import { MadeTarget, rates } from "../../support/made-target.js";

const beside = (bound = atLeast(2)) =>
  ratio("P1", "ours / peer", ["ours", "peer"], "perSecond", bound);
const published = ratio("P1-other", "ours / other", ["ours", "other"], "perSecond");

describe("rounds — subjects", () => {
  it("are measured by turns, another first in each round, and closed at the end", async () => {
    const made = new MadeTarget({ ours: rates(1, 1), peer: rates(1, 1) }, [beside()]);
    await made.measure(2);
    expect(made.calls).toEqual([
      ...["open ours", "open peer"],
      ...["measure ours 0", "measure peer 0", "round 0 of 2"],
      ...["measure peer 1", "measure ours 1", "round 1 of 2"],
      ...["close ours", "close peer"],
    ]);
  });

  it("are warmed up before, without a figure", async () => {
    const made = new MadeTarget({ ours: rates(5) }, [], { warmUp: true });
    const { rounds } = await made.measure(1);
    expect(made.calls.filter((call) => call.startsWith("measure"))).toEqual([
      "measure ours -1",
      "measure ours 0",
    ]);
    expect(rounds).toEqual([{ ours: { perSecond: 5 } }]);
  });

  it("take no more rounds than the target allows", async () => {
    const made = new MadeTarget({ ours: rates(1, 1) }, [], { roundsMax: 2 });
    expect((await made.measure(7)).rounds).toHaveLength(2);
  });

  it("that fail are closed and not measured again, and the others go on", async () => {
    const script = [{ perSecond: 1 }, new CheckFailed("sum: found 1, expected 2")];
    const made = new MadeTarget({ ours: rates(1, 1, 1), peer: script }, [beside()]);
    const measurements = await made.measure(3);
    expect(measurements.rounds.map((round) => Object.keys(round).sort())).toEqual([
      ["ours", "peer"],
      ["ours"],
      ["ours"],
    ]);
    expect(made.calls.filter((call) => call === "close peer")).toHaveLength(1);
    expect(made.calls).not.toContain("measure peer 2");
    const [judged] = judge(measurements);
    expect(judged?.outcome).toEqual({ kind: "failed", reason: "peer: sum: found 1, expected 2" });
  });

  it("are closed when the run is interrupted, and nothing is called a failure", async () => {
    const abort = new AbortController();
    const made = new MadeTarget({ ours: rates(1), peer: rates(1) }, [beside()]);
    abort.abort(new Error("interrupted"));
    await expect(made.measure(1, abort.signal)).rejects.toThrow("interrupted");
    expect(made.calls).toEqual([]);
  });
});

describe("judge — over the rounds", () => {
  const outcome = async (made: MadeTarget, rounds: number) => {
    const judged = judge(await made.measure(rounds));
    return { outcomes: judged.map((each) => each.outcome), verdict: verdictOf(judged) };
  };

  it("takes the ratios of each round, not the ratio of the medians", async () => {
    const ours = rates(10, 30, 100);
    const made = new MadeTarget({ ours, peer: rates(10, 10, 20) }, [beside()]);
    const { outcomes, verdict } = await outcome(made, 3);
    const spread = { median: 3, min: 1, max: 5, samples: [1, 3, 5] };
    expect(outcomes).toEqual([{ kind: "measured", spread, met: true }]);
    expect(verdict).toBe("met");
  });

  it("meets a bound by the median, upwards or downwards", async () => {
    const scripts = { ours: rates(19, 30, 10), peer: rates(10, 10, 10) };
    const upwards = new MadeTarget(scripts, [beside(atLeast(2))]);
    expect((await outcome(upwards, 3)).verdict).toBe("missed");
    expect((await outcome(new MadeTarget(scripts, [beside(atMost(2))]), 3)).verdict).toBe("met");
    expect((await outcome(new MadeTarget(scripts, [beside(atMost(1.9))]), 3)).verdict).toBe("met");
    expect((await outcome(new MadeTarget(scripts, [beside(atMost(1.8))]), 3)).verdict).toBe(
      "missed",
    );
  });

  it("says how a missing peer is installed, and skips the target", async () => {
    const peer = new PeerMissing("redis-server", "apt-get install redis-server");
    const made = new MadeTarget({ ours: rates(1), peer, other: rates(1) }, [beside(), published]);
    const { outcomes, verdict } = await outcome(made, 1);
    const reason = "peer: redis-server is missing; install it with: apt-get install redis-server";
    expect(outcomes[0]).toEqual({ kind: "skipped", reason });
    expect(outcomes[1]).toMatchObject({ kind: "measured", spread: { median: 1 } });
    expect(verdict).toBe("skipped");
  });

  it("does not skip a target for a peer that is only published", async () => {
    const other = new PeerMissing("other", "npm ci");
    const made = new MadeTarget({ ours: rates(9), peer: rates(1), other }, [beside(), published]);
    expect((await outcome(made, 1)).verdict).toBe("met");
  });

  it("fails a target when a peer did its work wrong or could not be opened", async () => {
    const wrong = [new CheckFailed("sum: found 0, expected 1")];
    for (const other of [wrong, new Error("it ended while it started")]) {
      const made = new MadeTarget({ ours: rates(9), peer: rates(1), other }, [beside(), published]);
      expect((await outcome(made, 1)).verdict).toBe("failed");
    }
  });

  it("has no figure for a division by nothing", async () => {
    const made = new MadeTarget({ ours: rates(9), peer: rates(0) }, [beside()]);
    const { outcomes } = await outcome(made, 1);
    expect(outcomes).toEqual([{ kind: "failed", reason: "a figure is no number" }]);
  });
});
