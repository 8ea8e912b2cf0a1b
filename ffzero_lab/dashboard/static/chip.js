// The chip map: the drawing of a layer, its cells coloured by the newest parameters.

import { KINDS, mapOf, mixed, scalesOf, shareOf } from "./colours.js";
import { byId, element, fill, put, setText } from "./dom.js";
import { get, runPath } from "./link.js";
import { colour, onScheme } from "./plot.js";
import { number } from "./words.js";

const TALLEST = 560;
const BIG = { cells: 500, tallest: 820 }; // a chip of many cells is given the whole width
const CELLS_OUTLINED = 1500;

let layer = 0;
let shown = null; // { drawing, values, stamp }
let asked = "";
let failed = "";
let selected = 0;

export async function showChip(facts, name) {
  offerLayers(facts.layers, () => showChip(facts, name));
  const wanted = `${layer} ${facts.parameters}`;
  if (asked === wanted) return;
  asked = wanted;
  if (!facts.parameters) {
    put(byId("chip"), element("p", { className: "quiet" }, "Parameters come with the first checkpoint."));
    return;
  }
  const query = `?layer=${layer}`;
  try {
    const drawing = shown?.layer === layer ? shown.drawing : await get(`/api/drawing/${runPath(name)}${query}`);
    const parameters = await get(`/api/parameters/${runPath(name)}${query}`);
    if (asked !== wanted) return;
    failed = "";
    shown = { layer, drawing, parameters, facts };
    draw();
  } catch (error) {
    if (asked !== wanted) return;
    if (!error.status) asked = "";
    failed = error.status ? error.message : "the server does not answer";
    shown = null;
    put(byId("chip"), element("p", { className: "quiet" }, `No map: ${failed}.`));
    setText(byId("chip-text"), "");
  }
}

function offerLayers(layers, changed) {
  const choice = byId("chip-layer");
  if (choice.options.length !== layers) {
    choice.replaceChildren(...Array.from({ length: layers }, (_, one) => element("option", { value: String(one) }, String(one))));
    choice.onchange = () => {
      layer = Number(choice.value);
      selected = 0;
      changed();
    };
  }
  choice.parentElement.hidden = layers < 2;
}

function cellsOf({ plan }) {
  if (plan.kind !== "blocks") return plan.cells;
  const cells = [];
  for (const block of plan.blocks) {
    for (let row = 0; row < block.rows; row++) {
      for (let column = 0; column < block.columns; column++) {
        const index = block.start + row * block.row_step + column * block.column_step;
        if (index < block.stop) cells[index] = [block.x + column, block.y + row * block.row_height, 0.9, 0.9 * block.row_height];
      }
    }
  }
  return cells;
}

function makeRoom() {
  const holder = byId("chip");
  const slider = element("input", { type: "range", id: "chip-parameter", min: "0", value: "0" });
  slider.addEventListener("input", () => {
    selected = Number(slider.value);
    draw();
  });
  const canvas = element("canvas", { role: "img" });
  canvas.addEventListener("pointermove", (moved) => pointAt(moved, canvas));
  canvas.addEventListener("pointerdown", (moved) => pointAt(moved, canvas));
  put(holder,
    canvas,
    element("div", { id: "chip-scales", className: "scales" }),
    element("div", { className: "chip-choice" },
      element("label", { htmlFor: "chip-parameter" }, "Parameter"), slider, element("output", { id: "chip-value", htmlFor: "chip-parameter" })),
  );
  new ResizeObserver(() => shown && byId("chip").contains(canvas) && draw()).observe(holder);
  return canvas;
}

let geometry = null;

function pointAt(moved, canvas) {
  if (!geometry) return;
  const box = canvas.getBoundingClientRect();
  const [x, y] = [(moved.clientX - box.left - geometry.x) / geometry.scale, (moved.clientY - box.top - geometry.y) / geometry.scale];
  let nearest = -1;
  let distance = 0.7;
  geometry.cells.forEach(([cx, cy], index) => {
    const away = Math.hypot(cx - x, cy - y);
    if (away < distance) [nearest, distance] = [index, away];
  });
  if (nearest >= 0 && nearest !== selected) {
    selected = nearest;
    draw();
  }
}

function draw() {
  const { drawing, parameters } = shown;
  const { plan } = drawing;
  const canvas = byId("chip").querySelector("canvas") ?? makeRoom();
  const [left, top, right, bottom] = plan.box;
  const margin = plan.kind === "mesh" ? 1.3 : 0.8;
  const [across, down] = [right - left + 2 * margin, bottom - top + 2 * margin];
  const isBig = parameters.values.length > BIG.cells;
  byId("parts").classList.toggle("big", isBig);
  const width = byId("chip").clientWidth;
  const scale = Math.min(width / across, (isBig ? BIG.tallest : TALLEST) / down, 46);
  const [w, h] = [Math.max(1, Math.floor(across * scale)), Math.max(1, Math.floor(down * scale))];
  const dots = window.devicePixelRatio || 1;
  canvas.width = w * dots;
  canvas.height = h * dots;
  canvas.style.width = `${w}px`;
  canvas.style.height = `${h}px`;
  const cells = cellsOf(drawing);
  geometry = { scale, x: (margin - left) * scale, y: (margin - top) * scale, cells };
  const ctx = canvas.getContext("2d");
  ctx.setTransform(dots * scale, 0, 0, dots * scale, dots * geometry.x, dots * geometry.y);
  ctx.lineCap = ctx.lineJoin = "round";
  const isFine = scale < 14;
  ctx.lineWidth = (isFine ? 0.6 : Math.min(2, 0.05 * scale)) / scale;
  ctx.strokeStyle = colour("quiet");
  ctx.globalAlpha = isFine ? 0.5 : 1;
  for (const course of [...(plan.lines ?? []), ...(plan.guides ?? [])]) {
    ctx.beginPath();
    course.forEach(([x, y], at) => (at ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
  const scales = scalesOf(shown);
  const outlined = cells.length <= CELLS_OUTLINED;
  plan.groups.forEach((group, place) => {
    for (let index = group.start; index < group.stop; index++) {
      const [x, y, cw, ch] = grown(cells[index], scale);
      ctx.fillStyle = mixed(mapOf(scales[place]), shareOf(parameters.values[index], scales[place]));
      ctx.fillRect(x - cw / 2, y - ch / 2, cw, ch);
      if (outlined) {
        ctx.lineWidth = 1 / scale;
        ctx.strokeStyle = colour("quiet");
        ctx.strokeRect(x - cw / 2, y - ch / 2, cw, ch);
      }
    }
  });
  ctx.strokeStyle = colour("fault");
  ctx.lineWidth = 2 / scale;
  for (const index of drawing.dead) {
    const [x, y, cw, ch] = cells[index];
    ctx.beginPath();
    ctx.moveTo(x - cw / 2, y - ch / 2);
    ctx.lineTo(x + cw / 2, y + ch / 2);
    ctx.moveTo(x + cw / 2, y - ch / 2);
    ctx.lineTo(x - cw / 2, y + ch / 2);
    ctx.stroke();
  }
  writeWords(ctx, plan, scale);
  ring(ctx, cells[selected], scale);
  showScales(scales);
  tellSelected(scales);
}

// A cell is drawn at least a few dots wide, as long as it does not reach its neighbours.
function grown([x, y, width, height], scale) {
  const least = 4 / scale;
  return [x, y, Math.max(width, Math.min(least, 0.8)), Math.max(height, Math.min(least, 0.7))];
}

function writeWords(ctx, plan, scale) {
  const dots = plan.kind === "blocks" ? (scale < 6 ? 0 : 12) : Math.min(0.42 * scale, 13);
  if (dots < 5.4) return; // too small to be read
  ctx.fillStyle = colour("ink");
  ctx.font = `${dots / scale}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = plan.kind === "blocks" ? "left" : "center";
  const middle = (plan.box[0] + plan.box[2]) / 2;
  for (const [x, y, word] of plan.words) {
    const outwards = plan.kind === "mesh" ? (x < middle ? 0.25 : -0.25) : 0; // beside the cells, not over them
    if (outwards) ctx.textAlign = outwards > 0 ? "right" : "left";
    ctx.fillText(word, x + outwards, y);
  }
}

function ring(ctx, [x, y, cw, ch], scale) {
  const out = 2.5 / scale;
  for (const [width, tone] of [[5, "panel"], [2.5, "ink"]]) {
    ctx.lineWidth = width / scale;
    ctx.strokeStyle = colour(tone);
    ctx.strokeRect(x - cw / 2 - out, y - ch / 2 - out, cw + 2 * out, ch + 2 * out);
  }
}

function showScales(scales) {
  const each = [...new Set(scales)];
  const told = each.map(({ names, unit, kind, low, high }) => [names, unit, kind, low, high]);
  fill(byId("chip-scales"), told, () => each.map((scale, place) =>
    element("div", {},
      element("span", {}, `${scale.names.join(", ")}${scale.unit ? ` in ${scale.unit}` : ""}${KINDS[scale.kind]}`),
      element("canvas", { className: "bar", width: 160, height: 12, role: "img", ariaLabel: "colour scale", "data-scale": String(place) }),
      element("span", {}, `${number(scale.low, 3)} to ${scale.kind === "turn" ? "2π" : number(scale.high, 3)}`))));
  byId("chip-scales").querySelectorAll("canvas").forEach((bar, place) => {
    const ctx = bar.getContext("2d");
    for (let x = 0; x < 160; x++) {
      ctx.fillStyle = mixed(mapOf(each[place]), x / 159);
      ctx.fillRect(x, 0, 1, 12);
    }
  });
}

function tellSelected(scales) {
  const { drawing, parameters, facts } = shown;
  const slider = byId("chip-parameter");
  slider.max = String(parameters.values.length - 1);
  slider.value = String(selected);
  const place = drawing.plan.groups.findIndex((group) => selected >= group.start && selected < group.stop);
  const group = drawing.plan.groups[place];
  const dead = drawing.dead.includes(selected) ? ", dead" : "";
  const told = `${group.name}[${selected - group.start}] = ${number(parameters.values[selected])} ${group.unit}${dead}`;
  setText(byId("chip-value"), told);
  slider.setAttribute("aria-valuetext", told);
  byId("chip").querySelector("canvas").setAttribute("aria-label",
    `Layer ${layer} as a ${drawing.plan.kind}, ${parameters.values.length} parameters: ${scales.map((s) => `${s.names.join(", ")} ${number(s.low, 3)} to ${number(s.high, 3)} ${s.unit}`).join("; ")}`);
  const stale = parameters.from === "start" ? "Where training begins: the first checkpoint has not been written yet."
    : facts.state === "running" ? "As of the newest checkpoint." : "As the run left it.";
  setText(byId("chip-text"), `${stale} ${drawing.plan.about}${drawing.dead.length ? " A cross marks what does not move." : ""}`);
}

onScheme(() => shown && draw());
