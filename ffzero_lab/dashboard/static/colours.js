// How the values of a layer become colours.

// Colour maps that colour-blind eyes can read: cividis (Nuñez et al. 2018) for values; for phases one that comes back to
// where it began, twilight, the middle of the period bright.
const VALUES = ["#00224e", "#083370", "#35456c", "#4f576c", "#666970", "#7d7c78", "#948e77", "#aea371", "#c8b866", "#e5cf52", "#fee838"];
const PHASES = ["#2f1436", "#45135c", "#592a8f", "#5e51ad", "#6276ba", "#7297c1", "#95b5c7", "#c4ced4", "#e2d9e2", "#d8c7be", "#cca389", "#c27c63", "#b25652", "#983550", "#741e4f", "#4a1342", "#2f1436"];
// What has a sign is shown around zero (PuOr, Brewer).
const SIGNED = ["#2d004b", "#542788", "#8073ac", "#b2abd2", "#d8daeb", "#f7f7f7", "#fee0b6", "#fdb863", "#e08214", "#b35806", "#7f3b08"];
const TURN = 2 * Math.PI;

export function mixed(map, share) {
  const place = Math.min(1, Math.max(0, share)) * (map.length - 1);
  const low = Math.min(map.length - 2, Math.floor(place));
  const [a, b] = [map[low], map[low + 1]].map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  return `rgb(${a.map((one, at) => Math.round(one + (b[at] - one) * (place - low))).join(" ")})`;
}

// How the values of each group become colours, as in the report of a run: phases within one turn, stiffness by its
// logarithm, what has a sign around zero. Groups of one unit and kind share a scale, so that they can be compared.
export function scalesOf({ drawing, parameters }) {
  const scales = new Map();
  drawing.plan.groups.forEach((group, place) => {
    const bounds = drawing.groups[place];
    const kind = group.unit === "rad" ? "turn" : bounds.scale === "log" ? "log" : bounds.lower < 0 ? "signed" : "plain";
    const key = `${group.unit} ${kind}`;
    const scale = scales.get(key) ?? { kind, unit: group.unit, names: [], groups: new Set(), low: Infinity, high: -Infinity };
    scale.names.push(group.name);
    scale.groups.add(place);
    const [from, to] = kind === "log" ? [bounds.lower, bounds.upper] : extremesOf(parameters.values, group);
    scale.low = Math.min(scale.low, from);
    scale.high = Math.max(scale.high, to);
    scales.set(key, scale);
  });
  for (const scale of scales.values()) {
    const far = Math.max(Math.abs(scale.low), Math.abs(scale.high)) || 1;
    if (scale.kind === "turn") [scale.low, scale.high] = [0, TURN];
    if (scale.kind === "signed") [scale.low, scale.high] = [-far, far];
  }
  return drawing.plan.groups.map((_, place) => [...scales.values()].find((scale) => scale.groups.has(place)));
}

function extremesOf(values, { start, stop }) {
  let [low, high] = [Infinity, -Infinity];
  for (let index = start; index < stop; index++) {
    low = Math.min(low, values[index]);
    high = Math.max(high, values[index]);
  }
  return [low, high];
}

export function shareOf(value, { low, high, kind }) {
  if (kind === "turn") return (((value % TURN) + TURN) % TURN) / TURN;
  if (!(high > low)) return 0.5;
  if (kind === "log") return Math.log(value / low) / Math.log(high / low);
  return (value - low) / (high - low);
}

const MAPS = { turn: PHASES, signed: SIGNED, log: VALUES, plain: VALUES };
export const KINDS = { turn: ", modulo 2π", signed: "", log: ", logarithmic", plain: "" };
export const mapOf = ({ kind }) => MAPS[kind];
