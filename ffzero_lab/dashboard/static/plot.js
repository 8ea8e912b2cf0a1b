// Charts, drawn by uPlot: colours from the style sheet, redrawn when the scheme or the width changes. What nobody sees
// is not drawn: a chart that is scrolled out of the window waits until it comes into it.

import { duration, number, shortCount } from "./words.js";

const uPlot = window.uPlot;
const all = new Set();
const colours = new Map();
const MARGIN = "100px"; // so near to the window a chart is drawn already

// Asked of the style sheet once a scheme: each asking makes the browser bring all styles up to date.
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return colours.get(name);
}

export const LAYERS = 6;
export const colourOf = (layer) => colour(`layer-${layer % LAYERS}`);
// Beside the colour: lines of neighbouring layers are told apart by their dashes as well.
export const dashOf = (layer) => [[], [9, 4], [3, 3], [12, 3, 3, 3]][layer % 4];

export function axis(more = {}) {
  const font = '12px system-ui, "Segoe UI", Roboto, sans-serif';
  return {
    stroke: () => colour("quiet"),
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { stroke: () => colour("grid"), width: 1, size: 4 },
    font,
    labelFont: font,
    labelSize: 20,
    ...more,
  };
}

export const countAxis = (label) =>
  axis({ label, values: (_, ticks) => ticks.map((tick) => shortCount(tick)), space: 56, size: 34 });
export const timeAxis = (label) =>
  axis({ label, values: (_, ticks) => ticks.map((tick) => (tick ? duration(tick) : "0")), space: 90, size: 34 });
// On a logarithmic scale the decades are told, and 2 and 5 of them where there are few.
function decades(low, high) {
  const steps = high / low < 30 ? [1, 2, 5] : [1];
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) found.push(...steps.map((one) => one * 10 ** power));
  return found.filter((one) => one >= low && one <= high);
}

export const logAxis = () =>
  axis({
    values: (_, ticks) => ticks.map((tick) => number(tick, 3)), size: 54, space: 20,
    splits: (_, __, low, high) => decades(low, high), filter: (_, ticks) => ticks,
  });
export const valueAxis = (show = (value) => number(value, 3)) =>
  axis({ values: (_, ticks) => ticks.map(show), size: 54, space: 32 });

// Keeps a chart as wide as its place. What it shows is told by a function, which is asked when the chart is drawn: it gets
// the width, and returns data, options and a key; when that differs from the last one the chart is made anew.
export function chart(place) {
  let plot = null;
  let told = null;
  let key = null;
  let isSeen = false;
  let isDue = false;
  const sizeOf = () => ({ width: Math.max(160, place.clientWidth), height: place.clientHeight });
  const draw = () => {
    if (!isDue) return;
    isDue = false;
    const { data, options, key: newKey = "" } = told(plot?.width ?? sizeOf().width);
    if (plot !== null && key === newKey) {
      plot.setData(data);
      return;
    }
    key = newKey;
    plot?.destroy();
    plot = new uPlot({ ...sizeOf(), legend: { show: false }, cursor: { show: false }, padding: [8, 26, 0, 0], ...options }, data, place);
  };
  const changed = () => {
    isDue = told !== null;
    if (isSeen) draw();
  };
  new IntersectionObserver((seen) => {
    isSeen = seen.at(-1).isIntersecting;
    if (isSeen) draw();
  }, { rootMargin: MARGIN }).observe(place);
  new ResizeObserver(() => plot?.setSize(sizeOf())).observe(place);
  addEventListener("beforeprint", draw);
  all.add(() => {
    key = null;
    changed();
  });
  return (tell) => {
    told = tell;
    changed();
  };
}

const clock = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB");

// The history of one channel, with its bounds as dashed lines.
export function spark(place, channel) {
  let bounds = [channel.lower, channel.upper];
  const draw = chart(place);
  const options = {
    scales: {
      x: { time: true },
      y: { range: (_, low, high) => rangeOf(low, high) },
    },
    axes: [axis({ space: 80, size: 30, values: (_, ticks) => ticks.map(clock) }), valueAxis()],
    series: [{}, { stroke: () => colour("layer-0"), width: 1.5, points: { show: false } },
      { stroke: () => colour("layer-0"), width: 1.5, points: { show: false } }],
    hooks: {
      draw: [(plot) => bounds.forEach((bound) => boundLine(plot, bound))],
    },
  };
  return (buckets, { lower, upper }) => {
    bounds = [lower, upper];
    draw(() => ({ data: [buckets.map((b) => b[0]), buckets.map((b) => b[2]), buckets.map((b) => b[3])], options }));
  };
}

function boundLine(plot, bound) {
  if (bound === null || bound === undefined) return;
  const at = plot.valToPos(bound, "y", true);
  const { left, top, width, height } = plot.bbox;
  if (at < top || at > top + height) return;
  const { ctx } = plot;
  ctx.save();
  ctx.strokeStyle = colour("fault");
  ctx.setLineDash([6, 4]);
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(left, at);
  ctx.lineTo(left + width, at);
  ctx.stroke();
  ctx.restore();
}

export function rangeOf(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = high > low ? 0.08 * (high - low) : Math.max(0.5 * Math.abs(high), 0.5);
  return [low - room, high + room];
}

export const onScheme = (redraw) => all.add(redraw);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours.clear();
  all.forEach((redraw) => redraw());
});
