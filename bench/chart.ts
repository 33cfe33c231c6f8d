// Chart — the results as SVG: for each target bars with the spread of the rounds, for each curve a
// line, and one chart of all ratios as parts of their targets.
//
// Drawn by ECharts on the server side, which needs no DOM. Ours is in colour, peers are grey, so
// that neither needs a legend.

import { type EChartsOption, init } from "echarts";
import type { BarDocument, BenchDocument, GroupDocument, RatioDocument } from "./document.js";
import type { Spread } from "./figures.js";
import { shown } from "./report.js";

const width = 720;
const rowHeight = 34;
const colours = { ours: "#2f6fde", peer: "#9aa3ad", met: "#2e8b57", missed: "#c8553d" } as const;
const ink = "#24292f";
const faint = "#6b7480";

/** A bar that has figures. */
type MeasuredBar = BarDocument & Spread;

/** Charts by the name of their file, without its ending. Those without a figure are left out. */
export function chartsOf(document: BenchDocument): ReadonlyMap<string, string> {
  const charts = new Map<string, string>();
  const note = noteOf(document);
  for (const [id, group] of Object.entries(document.targets)) {
    const bars = measuredBars(group);
    if (bars.length === 0) continue;
    const subtitle = subtitleOf(id, document.ratios);
    const option = barChart(`${id}: ${group.title}`, subtitle, bars, group.unit, note);
    charts.set(id.toLowerCase(), draw(option, frameHeight + bars.length * rowHeight));
  }
  for (const [id, group] of Object.entries(document.curves)) {
    const points = measuredBars(group);
    if (points.length === 0) continue;
    charts.set(`curve-${id}`, draw(curveChart(group, points, note), 360));
  }
  const byNumber = new Intl.Collator("en", { numeric: true }).compare;
  const ratios = Object.entries(document.ratios)
    .sort(([one], [other]) => byNumber(one, other))
    .flatMap(([key, ratio]) => scored(key, ratio));
  if (ratios.length > 0) {
    const option = overviewChart(ratios, note);
    charts.set("overview", draw(option, frameHeight + ratios.length * rowHeight));
  }
  return charts;
}

const frameHeight = 160;

/** Title, rows and note: what all charts of bars have. */
function barFrame(title: string, subtitle: string, labels: readonly string[], note: string) {
  return {
    ...textOf(title, subtitle, note),
    grid: { left: 290, right: 100, top: 76, bottom: 68 },
    yAxis: {
      type: "category",
      inverse: true,
      data: [...labels],
      axisTick: { show: false },
      axisLine: { lineStyle: { color: faint } },
      axisLabel: { color: ink, width: 270, overflow: "break" },
    },
  } satisfies EChartsOption;
}

function barChart(
  title: string,
  subtitle: string,
  bars: readonly MeasuredBar[],
  unit: string,
  note: string,
): EChartsOption {
  return {
    ...barFrame(
      title,
      subtitle,
      bars.map(({ label }) => label),
      note,
    ),
    xAxis: valueAxis(unit),
    series: [
      {
        type: "bar",
        barWidth: 18,
        data: bars.map(({ median, ours }) => ({
          value: median,
          itemStyle: { color: ours ? colours.ours : colours.peer },
          label: { show: true, position: "insideLeft", formatter: "" },
        })),
      },
      whiskers(bars, "x"),
      // Beyond the whisker, where nothing is drawn over it.
      {
        type: "scatter",
        symbolSize: 0,
        data: bars.map(({ max, median }, row) => ({
          value: [max, row],
          label: { show: true, position: "right", color: ink, formatter: shown(median) },
        })),
      },
    ],
  };
}

function curveChart(
  { title, unit }: GroupDocument,
  points: readonly MeasuredBar[],
  note: string,
): EChartsOption {
  return {
    ...textOf(title, "median of the rounds, lowest and highest", note),
    grid: { left: 100, right: 40, top: 90, bottom: 72 },
    xAxis: {
      type: "category",
      data: points.map(({ label }) => label),
      axisLabel: { color: ink },
      axisLine: { lineStyle: { color: faint } },
    },
    yAxis: valueAxis(unit),
    series: [
      {
        type: "line",
        data: points.map(({ median }) => ({ value: median })),
        symbolSize: 8,
        lineStyle: { color: colours.ours, width: 2 },
        itemStyle: { color: colours.ours },
        label: {
          show: true,
          position: "top",
          distance: 12,
          color: ink,
          formatter: ({ value }) => (typeof value === "number" ? shown(value) : ""),
        },
      },
      whiskers(points, "y"),
    ],
  };
}

/** How far a comparison is from its target: 1 is met, whichever way it is bounded. */
interface Score {
  readonly label: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly met: boolean;
}

function scored(key: string, ratio: RatioDocument): Score[] {
  if (!("median" in ratio) || ratio.target === undefined) return [];
  const { target, bound } = ratio;
  const score = (value: number) => (bound === "atMost" ? target / value : value / target);
  const ends = [score(ratio.min), score(ratio.max)];
  return [
    {
      label: `${key}  ${ratio.what}`,
      median: score(ratio.median),
      min: Math.min(...ends),
      max: Math.max(...ends),
      met: ratio.met === true,
    },
  ];
}

function overviewChart(scores: readonly Score[], note: string): EChartsOption {
  const title = "All targets: measured over wanted";
  const subtitle = "to the right of 1 a target is met; logarithmic";
  return {
    ...barFrame(
      title,
      subtitle,
      scores.map(({ label }) => label),
      note,
    ),
    xAxis: { ...valueAxis("times the target"), type: "log" },
    series: [
      {
        type: "scatter",
        symbolSize: 12,
        data: scores.map(({ median, met }, row) => ({
          value: [median, row],
          itemStyle: { color: met ? colours.met : colours.missed },
          label: { show: true, position: "top", color: ink, formatter: shown(median) },
        })),
        markLine: {
          silent: true,
          symbol: "none",
          label: { show: false },
          lineStyle: { color: ink, type: "dashed" },
          data: [{ xAxis: 1 }],
        },
      },
      whiskers(scores, "x"),
    ],
  };
}

/** A line from the lowest to the highest of each row. */
function whiskers(
  rows: readonly { readonly min: number; readonly max: number }[],
  along: "x" | "y",
) {
  const place = (value: number, row: number) => (along === "x" ? [value, row] : [row, value]);
  return {
    type: "custom" as const,
    silent: true,
    encode: along === "x" ? { x: [0, 1], y: 2 } : { y: [0, 1], x: 2 },
    data: rows.map(({ min, max }, row) => [min, max, row]),
    renderItem: (
      _: unknown,
      api: { value(dimension: number): unknown; coord(place: number[]): number[] },
    ) => {
      const [min, max, row] = [0, 1, 2].map((dimension) => Number(api.value(dimension)));
      const [x1 = 0, y1 = 0] = api.coord(place(min ?? 0, row ?? 0));
      const [x2 = 0, y2 = 0] = api.coord(place(max ?? 0, row ?? 0));
      return {
        type: "line" as const,
        shape: { x1, y1, x2, y2 },
        style: { stroke: ink, lineWidth: 1.5 },
      };
    },
  };
}

function valueAxis(name: string) {
  return {
    type: "value" as const,
    name,
    nameLocation: "middle" as const,
    nameGap: 28,
    nameTextStyle: { color: faint },
    splitNumber: 4,
    splitLine: { lineStyle: { color: "#e6e9ed" } },
    axisLabel: { color: faint, formatter: (value: number) => value.toLocaleString("en-US") },
  };
}

function textOf(text: string, subtext: string, note: string) {
  return {
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "system-ui, sans-serif" },
    title: {
      text,
      subtext,
      left: 16,
      top: 12,
      textStyle: { color: ink, fontSize: 15 },
      subtextStyle: { color: faint, fontSize: 12 },
    },
    graphic: [
      {
        type: "text" as const,
        left: 16,
        bottom: 8,
        style: { text: note, fill: faint, fontSize: 10 },
      },
    ],
  };
}

function subtitleOf(id: string, ratios: BenchDocument["ratios"]): string {
  const own = Object.entries(ratios).filter(([key]) => key === id || key.startsWith(`${id}-`));
  return own
    .flatMap(([, ratio]) => {
      if (!("median" in ratio) || ratio.target === undefined) return [];
      const sign = ratio.bound === "atMost" ? "\u2264" : "\u2265";
      return `${ratio.what}: ${shown(ratio.median)} (${sign} ${ratio.target})`;
    })
    .join("; ");
}

function noteOf({ date, machine, versions, rounds, quick }: BenchDocument): string {
  const { cpu, cores, fileSystem } = machine;
  const which = quick ? "quick run, no figure counts" : `median and spread of ${rounds} rounds`;
  const where = `${cores} cores (${cpu}), ${fileSystem}`;
  return `${which}; ${date.slice(0, 10)}, Node ${versions["node"] ?? ""}, ${where}`;
}

function measuredBars({ bars }: GroupDocument): MeasuredBar[] {
  return bars.filter((bar): bar is MeasuredBar => "median" in bar);
}

function draw(option: EChartsOption, height: number): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(option);
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
