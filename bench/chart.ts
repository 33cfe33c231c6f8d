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
  const draw = (name: string, caption: Caption, option: EChartsOption, height: number) =>
    charts.set(name, svgOf(caption.title, option, height));
  for (const [id, group] of Object.entries(document.targets)) {
    const bars = measuredBars(group);
    if (bars.length === 0) continue;
    const lines = ratioLines(id, document.ratios);
    const caption = { title: `${id}: ${group.title}`, lines, note: noteOf(document, bars) };
    const option = barChart(caption, bars, group.unit);
    draw(id.toLowerCase(), caption, option, barsHeight(caption, bars.length));
  }
  for (const [id, group] of Object.entries(document.curves)) {
    const points = measuredBars(group);
    if (points.length === 0) continue;
    const lines = ["median of the rounds, lowest and highest"];
    const caption = { title: group.title, lines, note: noteOf(document, points) };
    draw(`curve-${id}`, caption, curveChart(caption, points, group.unit), 360);
  }
  const byNumber = new Intl.Collator("en", { numeric: true }).compare;
  const scores = Object.entries(document.ratios)
    .sort(([one], [other]) => byNumber(one, other))
    .flatMap(([key, ratio]) => scored(key, ratio));
  if (scores.length > 0) {
    const lines = ["to the right of 1 a target is met; logarithmic"];
    const title = "All targets: measured over wanted";
    const caption = { title, lines, note: noteOf(document, Object.values(document.ratios)) };
    draw("overview", caption, overviewChart(caption, scores), barsHeight(caption, scores.length));
  }
  return charts;
}

/** The words around a chart. */
interface Caption {
  readonly title: string;
  readonly lines: readonly string[];
  /** Where and how often it was measured, below. */
  readonly note: string;
}

const lineHeight = 16;
const marginTop = 60;
const marginBottom = 68;

function barsHeight({ lines }: Caption, rows: number): number {
  return marginTop + lines.length * lineHeight + rows * rowHeight + marginBottom;
}

/** Caption and names of the rows: what all charts of bars have. */
function barFrame(caption: Caption, labels: readonly string[]) {
  const top = marginTop + caption.lines.length * lineHeight;
  return {
    ...textOf(caption),
    grid: { left: 290, right: 100, top, bottom: marginBottom },
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

function barChart(caption: Caption, bars: readonly MeasuredBar[], unit: string): EChartsOption {
  const labels = bars.map(({ label }) => label);
  return {
    ...barFrame(caption, labels),
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

function curveChart(caption: Caption, points: readonly MeasuredBar[], unit: string): EChartsOption {
  return {
    ...textOf(caption),
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

function overviewChart(caption: Caption, scores: readonly Score[]): EChartsOption {
  const labels = scores.map(({ label }) => label);
  return {
    ...barFrame(caption, labels),
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

function textOf({ title, lines, note }: Caption) {
  return {
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "system-ui, sans-serif" },
    title: {
      text: title,
      subtext: lines.join("\n"),
      left: 16,
      top: 12,
      textStyle: { color: ink, fontSize: 15 },
      subtextStyle: { color: faint, fontSize: 12, lineHeight },
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

/** Two to a line: more would not fit. */
function ratioLines(id: string, ratios: BenchDocument["ratios"]): string[] {
  const said = Object.entries(ratios)
    .filter(([key]) => key === id || key.startsWith(`${id}-`))
    .flatMap(([, ratio]) => {
      if (!("median" in ratio) || ratio.target === undefined) return [];
      const sign = ratio.bound === "atMost" ? "\u2264" : "\u2265";
      return `${ratio.what}: ${shown(ratio.median)} (${sign} ${ratio.target})`;
    });
  const lines = said.map((_, index) => said.slice(index, index + 2).join("; "));
  return lines.filter((_, index) => index % 2 === 0);
}

function noteOf(
  { date, machine, versions, quick }: BenchDocument,
  measured: readonly (object | Spread)[],
): string {
  const rounds = Math.max(...measured.map((each) => ("samples" in each ? each.samples.length : 0)));
  const { cpu, cores, fileSystem } = machine;
  const spread = rounds === 1 ? "one round" : `median and spread of ${rounds} rounds`;
  const where = `${cores} cores (${cpu}), ${fileSystem}`;
  const which = quick ? "quick run, no figure counts" : spread;
  return `${which}; ${date.slice(0, 10)}, Node ${versions["node"] ?? ""}, ${where}`;
}

function measuredBars({ bars }: GroupDocument): MeasuredBar[] {
  return bars.filter((bar): bar is MeasuredBar => "median" in bar);
}

function svgOf(title: string, option: EChartsOption, height: number): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(option);
    return still(title, chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/** A picture in a page: a title for those who hear it, no styles for a pointer over it. */
function still(title: string, svg: string): string {
  const titled = svg.replace("<svg ", `<svg role="img" `).replace(">", `><title>${title}</title>`);
  return `${titled.replace(/<style\b[\s\S]*?<\/style>\s*/g, "")}\n`;
}
