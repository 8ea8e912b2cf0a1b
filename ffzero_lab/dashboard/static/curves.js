// Learning curves: the pieces that the server sends are put together, and drawn over measurements or device time.

import { byId, element, fill, setText } from "./dom.js";
import { chart, colourOf, countAxis, dashOf, logAxis, rangeOf, timeAxis, valueAxis } from "./plot.js";
import { count, number, score } from "./words.js";

const [READINGS, SECONDS, LOW, HIGH, MEAN] = [0, 1, 2, 3, 4];
const SMOOTHED = 12;
const LOG_FROM = 50;
const FEW = 2;
const LEAST = 100; // so many buckets a layer has in the narrowest chart

const curves = new Map();
let measure = "accuracy";
let over = "readings";
const charts = {};

export function forgetCurves() {
  curves.clear();
}

export function takeCurves(pieces) {
  for (const { layer, name, start, buckets } of pieces) {
    const key = `${layer} ${name}`;
    const curve = curves.get(key) ?? { layer, name, buckets: [] };
    curve.buckets.splice(start, Infinity, ...buckets);
    curves.set(key, curve);
  }
}

const layersOf = (...names) =>
  [...new Set([...curves.values()].filter(({ name }) => names.includes(name)).map(({ layer }) => layer))].sort((a, b) => a - b);

const bucketsOf = (layer, name) => curves.get(`${layer} ${name}`)?.buckets ?? [];

// Puts curves of any abscissae into uPlot's one common column, which has to rise.
function aligned(tracks) {
  const points = tracks.flatMap((track, number) => track.map(([x, y]) => [x, number, y]));
  points.sort((a, b) => a[0] - b[0]);
  const columns = [[], ...tracks.map(() => [])];
  for (const [x, number, y] of points) {
    const last = columns[0].length - 1;
    if (last < 0 || columns[0][last] !== x || columns[number + 1][last] !== undefined) {
      columns[0].push(x);
      for (let other = 1; other < columns.length; other++) columns[other].push(undefined);
    }
    columns[number + 1][columns[0].length - 1] = y;
  }
  return columns;
}

const abscissa = (bucket) => bucket[over === "readings" ? READINGS : SECONDS];

// No more buckets than there is room for side by side: neighbours are merged, and no extreme value is lost.
function thinned(buckets, room) {
  const each = Math.ceil(buckets.length / Math.max(room, LEAST));
  if (each < 2) return buckets;
  const found = [];
  for (let from = 0; from < buckets.length; from += each) {
    const own = buckets.slice(from, from + each);
    const { [READINGS]: readings, [SECONDS]: seconds } = own.at(-1);
    const sum = own.reduce((total, bucket) => total + bucket[MEAN], 0);
    found.push([readings, seconds, Math.min(...own.map((b) => b[LOW])), Math.max(...own.map((b) => b[HIGH])), sum / own.length]);
  }
  return found;
}

// Lowest and highest of each bucket, in turn, so that no extreme value is left out of the drawing.
const extremes = (buckets) =>
  buckets.flatMap((b) => (b[LOW] === b[HIGH] ? [[abscissa(b), b[LOW]]] : [[abscissa(b), b[LOW]], [abscissa(b), b[HIGH]]]));

// The mean of a bucket and of as many before it as behind it, so that it lags behind no fall; at the ends of what there is.
function smoothed(buckets) {
  const reach = Math.floor(Math.min(SMOOTHED, buckets.length / 8) / 2);
  const sums = [0];
  for (const bucket of buckets) sums.push(sums.at(-1) + bucket[MEAN]);
  return buckets.map((bucket, place) => {
    const [from, to] = [Math.max(0, place - reach), Math.min(buckets.length, place + reach + 1)];
    return [abscissa(bucket), (sums[to] - sums[from]) / (to - from)];
  });
}

const dots = (buckets) => buckets.map((bucket) => [abscissa(bucket), bucket[MEAN]]);

const thin = (layer) => ({ stroke: () => `${colourOf(layer)}55`, width: 1, points: { show: false }, spanGaps: false });
// So few points that they would make no line are drawn as points.
const thick = (layer, count) => ({
  stroke: () => colourOf(layer), width: 2.5, dash: dashOf(layer), points: { show: count <= FEW, size: 6, fill: () => colourOf(layer) },
});
const marks = (layer, size, filled) => ({
  stroke: () => colourOf(layer), width: 0, paths: () => null,
  points: { show: true, size, width: 2, stroke: () => colourOf(layer), fill: () => (filled ? colourOf(layer) : "transparent") },
});

function drawn(tracks, series, axisOfValues, scale) {
  return {
    key: `${over} ${measure} ${scale.distr ?? 1} ${series.map((one) => one.key).join()}`,
    data: aligned(tracks),
    options: {
      scales: { x: { time: false }, y: scale },
      axes: [over === "readings" ? countAxis("measurements") : timeAxis("device time"), axisOfValues],
      series: [{}, ...series.map((one) => ({ ...one.look, spanGaps: true }))],
    },
  };
}

// Values over more than a decade or two are drawn on a logarithmic scale, where all of them are above zero.
function scaleOf(name) {
  let [low, high] = [Infinity, -Infinity];
  for (const layer of layersOf(name)) {
    for (const bucket of bucketsOf(layer, name)) [low, high] = [Math.min(low, bucket[LOW]), Math.max(high, bucket[HIGH])];
  }
  if (low > 0 && high > LOG_FROM * low) return { distr: 3, range: (_, from, to) => [0.8 * from, 1.25 * to] };
  return { range: (_, from, to) => rangeOf(from, to) };
}

function drawLines(id, name, more = [], axisOfValues = null, scale = scaleOf(name)) {
  charts[id] ??= chart(byId(id));
  charts[id]((width) => linesOf(name, more, axisOfValues ?? (scale.distr === 3 ? logAxis() : valueAxis()), scale, width));
  return scale.distr === 3;
}

function linesOf(name, more, axisOfValues, scale, width) {
  const tracks = [];
  const series = [];
  const add = (key, track, look) => {
    if (!track.length) return;
    tracks.push(track);
    series.push({ key, look });
  };
  const layers = layersOf(name);
  for (const layer of layers) {
    const buckets = thinned(bucketsOf(layer, name), width / layers.length);
    add(`e${layer}`, extremes(buckets), thin(layer));
    add(`m${layer} ${buckets.length <= FEW}`, smoothed(buckets), thick(layer, buckets.length));
  }
  for (const [other, size, filled] of more) {
    for (const layer of layersOf(other)) add(`${other}${layer}`, dots(bucketsOf(layer, other)), marks(layer, size, filled));
  }
  return drawn(tracks, series, axisOfValues, scale);
}

export function showCurves(facts) {
  measure = facts.measure;
  const isR2 = measure === "r2";
  setText(byId("score-title"), isR2 ? "R² of the batch" : "Accuracy of the batch");
  const percent = valueAxis((value) => `${Math.round(100 * value)}%`);
  const range = isR2
    ? (_, low, high) => rangeOf(low, high)
    : (_, low, high) => (low === null ? [0, 1] : [Math.max(0, low - 0.05), Math.min(1, high + 0.05)]);
  drawLines("score-plot", "score", [["validation", 7, true], ["trained", 10, false]], isR2 ? valueAxis() : percent, { range });
  setText(byId("loss-title"), drawLines("loss-plot", "loss") ? "Loss, logarithmic" : "Loss");
  setText(byId("slope-title"), drawLines("slope-plot", "slope") ? "RMS slope, logarithmic" : "RMS slope");
  const layers = layersOf("score", "loss", "trained");
  fill(byId("curves-key"), layers, () => layers.map((layer) =>
    element("li", {}, element("span", { className: `swatch layer-${layer % 6}`, ariaHidden: "true" }), `layer ${layer}`)));
  const newest = layers.map(newestOf);
  fill(byId("newest"), newest, () => newest.map(rowOf));
  for (const [id, name] of [["score-plot", isR2 ? "R squared" : "Accuracy"], ["loss-plot", "Loss"], ["slope-plot", "RMS slope"]]) {
    const curve = { "score-plot": "score", "loss-plot": "loss", "slope-plot": "slope" }[id];
    const told = layers.map((layer) => `layer ${layer} ${tell(curve, bucketsOf(layer, curve).at(-1))}`).join(", ");
    byId(id).setAttribute("aria-label", `${name} over ${over === "readings" ? "measurements" : "device time"}: newest ${told || "none yet"}`);
  }
}

function tell(name, bucket) {
  if (!bucket) return "–";
  return name === "score" || name === "validation" ? score(bucket[MEAN], measure) : number(bucket[MEAN]);
}

function newestOf(layer) {
  const last = (name) => bucketsOf(layer, name).at(-1);
  return [
    `layer ${layer}`, count(last("loss")?.[READINGS]), tell("loss", last("loss")), tell("score", last("score")),
    tell("validation", last("validation")), tell("slope", last("slope")),
  ];
}

function rowOf([layer, ...cells]) {
  return element("tr", {}, element("th", { scope: "row" }, layer),
    ...cells.map((text) => element("td", { className: "number" }, text)));
}

export function onChoice(changed) {
  for (const input of document.querySelectorAll('input[name="over"]')) {
    input.addEventListener("change", () => {
      over = input.value;
      changed();
    });
  }
}
