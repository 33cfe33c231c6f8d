// Results of the benchmark — other programs read them, and charts and tables are drawn from them.

import { SaxesParser } from "saxes";
import { describe, expect, it } from "vitest";
import { chartsOf } from "../../../bench/chart.js";
import { type BenchDocument, documentOf, finish } from "../../../bench/document.js";
import { CheckFailed } from "../../../bench/measure.js";
import { lastLine, roundLine, shown, tableLines } from "../../../bench/report.js";
import { atLeast, atMost, PeerMissing, ratio } from "../../../bench/target.js";
import { MadeTarget, rates } from "../../support/made-target.js";

const missing = new PeerMissing("redis-server", "apt-get install redis-server");
const comparisons = [
  ratio("P1", "ours / peer", ["ours", "peer"], "perSecond", atLeast(3)),
  ratio("P1-redis", "ours / redis", ["ours", "redis"], "perSecond", atMost(1)),
  ratio("P1-wrong", "ours / wrong", ["ours", "wrong"], "perSecond", atMost(1)),
  ratio("P1-free", 'ours / <peer> & "others"', ["ours", "peer"], "perSecond"),
];
const run = {
  date: "2026-11-25T12:00:00.000Z",
  machine: { cpu: "a <fast> one", cores: 2, memoryBytes: 2 ** 34, system: "x", fileSystem: "ext4" },
  versions: { node: "v20.20.2" },
  seed: 7,
  quick: false,
  rounds: 3,
};
const limits = new Map([["append", { what: "one append", unit: "ms", value: 0.134 }]] as const);

function made(): MadeTarget {
  const scripts = {
    ours: rates(40, 20, 30),
    peer: rates(10, 10, 10),
    redis: missing,
    wrong: [new CheckFailed("sum: found 1, expected 2")],
  };
  return new MadeTarget(scripts, comparisons, { limits: ["append"] });
}

async function madeDocument(): Promise<BenchDocument> {
  const curve = new MadeTarget({ "10": rates(1, 2, 3), "100": rates(2, 2, 2) }, [], { id: "keys" });
  const finished = [finish(await made().measure(3)), finish(await curve.measure(3))];
  return documentOf(run, limits, finished);
}

describe("results — as JSON", () => {
  it("have target, median, lowest, highest and samples of each ratio", async () => {
    const { ratios } = await madeDocument();
    expect(ratios["P1"]).toEqual({
      what: "ours / peer",
      target: 3,
      bound: "atLeast",
      median: 3,
      min: 2,
      max: 4,
      samples: [4, 2, 3],
      met: true,
    });
    expect(ratios["P1-free"]).not.toHaveProperty("target");
    expect(ratios["P1-free"]).not.toHaveProperty("met");
  });

  it("say of what is missing or wrong why there is no figure, and have none", async () => {
    const { ratios, targets } = await madeDocument();
    expect(ratios["P1-redis"]).toEqual({
      what: "ours / redis",
      target: 1,
      bound: "atMost",
      skipped: "redis: redis-server is missing; install it with: apt-get install redis-server",
    });
    expect(ratios["P1-wrong"]).toMatchObject({ failed: "wrong: sum: found 1, expected 2" });
    const { bars = [], figures, verdict } = targets["P1"] ?? {};
    expect(bars.map((bar) => Object.keys(bar).includes("median"))).toEqual([
      ...[true, true, false, false],
    ]);
    expect(figures).toEqual({
      ours: { perSecond: [40, 20, 30] },
      peer: { perSecond: [10, 10, 10] },
    });
    expect(verdict).toBe("failed");
  });

  it("have no figure of a subject that went wrong later, whatever it had before", async () => {
    const peer = [{ perSecond: 10 }, new CheckFailed("sum: found 1, expected 2")];
    const late = new MadeTarget({ ours: rates(40, 40), peer }, comparisons.slice(0, 1));
    const { group } = finish(await late.measure(2));
    expect(group.figures).toEqual({ ours: { perSecond: [40, 40] } });
    expect(group.bars[1]).toMatchObject({ failed: "sum: found 1, expected 2" });
    expect(group.bars[1]).not.toHaveProperty("median");
  });

  it("keep targets and curves apart, with machine, versions, seed and limits", async () => {
    const document = await madeDocument();
    expect(document).toMatchObject({ ...run, limits: { append: { value: 0.134 } } });
    expect(Object.keys(document.targets)).toEqual(["P1"]);
    expect(Object.keys(document.curves)).toEqual(["keys"]);
    expect(document.curves["keys"]).not.toHaveProperty("verdict");
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });
});

describe("results — as charts", () => {
  it("are well-formed SVG, one for each target and curve and one of all ratios", async () => {
    const charts = chartsOf(await madeDocument());
    expect([...charts.keys()]).toEqual(["p1", "curve-keys", "overview"]);
    for (const svg of charts.values()) expect(elementsOf(svg)).toContain("svg");
  });

  it("show names, medians, targets and where it was measured as text", async () => {
    const charts = chartsOf(await madeDocument());
    const text = textOf(charts.get("p1") ?? "");
    const wanted = ["P1: made", "the ours", "the peer", "30.0", "ours / peer: 3.00 (\u2265 3)"];
    for (const part of [...wanted, "2026-11-25", "a <fast> one", "ext4"]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("the redis");
  });

  it("draw a bar for each subject that was measured, ours in colour", async () => {
    const svg = chartsOf(await madeDocument()).get("p1") ?? "";
    expect(svg.match(/#2f6fde/g)).toHaveLength(1);
    expect(svg.match(/#9aa3ad/g)).toHaveLength(1);
  });

  it("are drawn again from JSON", async () => {
    const document = await madeDocument();
    const read: BenchDocument = JSON.parse(JSON.stringify(document));
    expect([...chartsOf(read).keys()]).toEqual([...chartsOf(document).keys()]);
  });

  it("leave out what has no figure", async () => {
    const scripts = { ours: rates(1), peer: missing };
    const target = new MadeTarget({ ours: missing, peer: missing }, comparisons.slice(0, 1));
    const curve = new MadeTarget({ ours: missing }, []);
    const finished = [finish(await target.measure(1)), finish(await curve.measure(1))];
    expect(chartsOf(documentOf(run, limits, finished)).size).toBe(0);
    // A bar, and no ratio.
    const half = finish(await new MadeTarget(scripts, comparisons.slice(0, 1)).measure(1));
    expect([...chartsOf(documentOf(run, limits, [half])).keys()]).toEqual(["p1"]);
  });
});

describe("results — on the terminal", () => {
  it("have a line for each round", async () => {
    const { target } = made();
    const figures = { ours: { perSecond: 312_345 }, peer: { perSecond: 100_000 } };
    const line = roundLine(target, 1, 7, figures);
    expect(line).toBe("P1 2/7     ours 312,345  peer 100,000  P1: 3.12 x  P1-free: 3.12 x");
  });

  it("have a table that says what is skipped and what was wrong, and the limits", async () => {
    const lines = tableLines(finish(await made().measure(3)), limits);
    expect(lines).toContain("## P1: made (failed)");
    expect(lines).toContain("| the ours | 30.0 | 20.0 | 40.0 |");
    expect(lines).toContain("| the wrong | FAILED: sum: found 1, expected 2 | | |");
    expect(lines).toContain("| ours / peer | >= 3 | 3.00 | 2.00 | 4.00 | met |");
    expect(lines.some((line) => line.includes("apt-get install redis-server"))).toBe(true);
    expect(lines.at(-1)).toBe("limit: one append: 0.134 ms");
  });

  it("end with one line that counts", () => {
    expect(lastLine(["met", "missed", "met", "skipped"])).toBe(
      "bench: targets=4 met=2 missed=1 skipped=1 failed=0",
    );
  });

  it("show numbers with the figures that count", () => {
    expect([1_234_567, 123.4, 12.34, 1.234, 0.1234].map(shown)).toEqual([
      ...["1,234,567", "123", "12.3", "1.23", "0.123"],
    ]);
  });
});

/** Throws when it is no well-formed XML. */
function elementsOf(svg: string): string[] {
  const elements: string[] = [];
  const parser = new SaxesParser({ xmlns: true });
  parser.on("opentag", ({ name }) => elements.push(name));
  parser.write(svg).close();
  return elements;
}

function textOf(svg: string): string {
  let text = "";
  const parser = new SaxesParser({ xmlns: true });
  parser.on("text", (part) => {
    text += `${part}\n`;
  });
  parser.write(svg).close();
  return text;
}
