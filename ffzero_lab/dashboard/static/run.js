// The page of one run: follows its stream of news and shows them.

import { showHealth, showInterlocks, showLinks } from "./bench.js";
import { showChip } from "./chip.js";
import { showControls } from "./control.js";
import { forgetCurves, onChoice, showCurves, takeCurves } from "./curves.js";
import { byId, element, fill, setText } from "./dom.js";
import { events, get, hasToken, runPath, takeToken } from "./link.js";
import { askForToken, askIfReadingNeedsIt } from "./token.js";
import { STATES, count, duration, number, score, whenAndName } from "./words.js";

const LOG_KEPT = 200;
const AGAIN_MS = [500, 1000, 2000, 5000];

takeToken();
const name = decodeURIComponent(location.pathname.replace(/^\/run\//, ""));
let facts = null;
let untold = { curves: false, epoch: false, log: [] };
let frame = 0;
let isAtEnd = true;
let waitingFor = null;
const history_ = new Map();

function say(text, request = null) {
  waitingFor = request;
  setText(byId("said"), text);
}

function take(news) {
  if ("epoch" in news) {
    forgetCurves();
    history_.clear();
    untold = { ...untold, epoch: true, log: [] };
  }
  if (news.facts) facts = news.facts;
  takeCurves(news.curves ?? []);
  for (const { name: channel, start, buckets } of news.health ?? []) {
    const known = history_.get(channel) ?? [];
    known.splice(start, Infinity, ...buckets);
    history_.set(channel, known);
  }
  untold.curves ||= "curves" in news || "epoch" in news;
  untold.log = [...untold.log, ...(news.log ?? [])].slice(-LOG_KEPT);
  frame ||= requestAnimationFrame(show); // however much news came, it is shown once a frame, and not where nobody looks
}

function show() {
  const { curves, epoch, log } = untold;
  untold = { curves: false, epoch: false, log: [] };
  frame = 0;
  showHead();
  showProgress();
  showControls(facts, name, say);
  const trains = facts.kind === "training";
  byId("parts").classList.toggle("plain", !trains);
  byId("curves-panel").hidden = byId("chip-panel").hidden = !trains;
  if (trains && curves) showCurves(facts);
  if (trains) showChip(facts, name);
  byId("steps-panel").hidden = trains;
  if (!trains) showSteps();
  showHealth(facts, history_);
  showLinks(facts);
  showInterlocks(facts);
  showSettings();
  if (log.length || epoch) showLog(log, epoch); // last: where it stands is asked for, and then all is laid out
}

function showHead() {
  const [when, short] = whenAndName(name.split("/").at(-1));
  setText(byId("title"), short);
  setTitle(`${short} · ffzero-lab`);
  const { device, dataset } = facts;
  const what = facts.title ?? dataset?.name ?? "";
  setText(byId("subtitle"), [what, `${device.name} (${device.serial_number})`, when && `begun ${when}`,
    facts.elsewhere && `runs on ${facts.elsewhere}, last heard of ${facts.updated}`].filter(Boolean).join(" · "));
  const [words, sign, tone] = STATES[facts.state] ?? [facts.state, "•", "waiting"];
  const parked = facts.state === "paused" ? (facts.parked ? ", parked" : ", outputs held") : "";
  byId("state").className = `state ${tone}`;
  fill(byId("state"), [sign, words, parked], () => [element("span", { ariaHidden: "true" }, `${sign} `), words + parked]);
  if (waitingFor && hasAnswered(waitingFor)) say(answerOf(waitingFor));
  const above = name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
  const back = byId("back");
  back.href = facts.owner ? `/run/${runPath(facts.owner)}` : above ? `/?under=${encodeURIComponent(above)}` : "/";
  setText(back, facts.owner ? "Its protocol" : above ? "Its group" : "All runs");
  const wrong = [
    ...(facts.reason && ["failed", "tripped", "paused", "stopped"].includes(facts.state) ? [facts.reason] : []),
    ...facts.problems.map((problem) => (typeof problem === "string" ? problem : JSON.stringify(problem))),
  ];
  byId("problems").hidden = wrong.length === 0;
  fill(byId("problems"), wrong, () => wrong.map((text) => element("li", {}, text)));
}

function setTitle(text) {
  if (document.title !== text) document.title = text;
}

const hasAnswered = (request) =>
  ({ pause: ["paused"], continue: ["running"], stop: ["stopped"] })[request].includes(facts.state) ||
  ["complete", "failed", "tripped", "interrupted"].includes(facts.state);

function answerOf(request) {
  if (request === "stop" && facts.state === "stopped") return "It has stopped: the bench is parked, the run saved.";
  if (request === "pause" && facts.state === "paused") return facts.parked ? "It pauses, parked." : "It pauses; its outputs are held.";
  if (request === "continue" && facts.state === "running") return "It goes on.";
  if (request === "continue" && facts.state === "complete") return "It went on, and is complete.";
  return `It did not come to that: it is ${facts.state}.`;
}

function tileOf([label, value, hint = ""]) {
  return element("div", {}, element("dt", {}, label), element("dd", {}, value, hint ? element("small", {}, ` ${hint}`) : null));
}

function showProgress() {
  const { progress, spent, measure, result } = facts;
  byId("progress").value = progress.share;
  const left = progress.seconds_left === null || progress.seconds_left === undefined ? "" : `, about ${duration(progress.seconds_left)} left`;
  const where = facts.kind === "protocol"
    ? `${progress.done} of ${progress.of} steps done`
    : facts.state === "complete" ? `all ${progress.layers} layer${progress.layers === 1 ? "" : "s"} trained`
      : `layer ${progress.layer} (${progress.layer + 1} of ${progress.layers}), step ${count(progress.step)} of ${count(progress.steps)}`;
  setText(byId("progress-text"), `${where}${left}`);
  const newest = facts.newest ?? {};
  const tiles = [];
  if (result) {
    const scores = result.test_accuracy ?? result.test_r2;
    tiles.push([measure === "r2" ? "Test R²" : "Test accuracy", score(scores[result.readout], measure), `readout ${result.readout}`]);
  } else if (newest.loss !== undefined) {
    tiles.push(["Loss now", number(newest.loss)], ["Batch now", score(newest.score, measure)]);
  }
  tiles.push(
    ["Measurements", count(spent.readings)], ["Writes", count(spent.writes)], ["Shots", count(spent.shots)],
    ["Device time", duration(spent.device_seconds), spent.predicted_seconds ? `of ${duration(spent.predicted_seconds)} predicted` : ""],
  );
  if (spent.wall_seconds) tiles.push(["Wall time", duration(spent.wall_seconds)]);
  const told = facts.kind === "protocol" ? tiles.filter(([, value]) => value !== "–") : tiles;
  fill(byId("tiles"), told, () => told.map(tileOf));
}

function showSteps() {
  fill(byId("steps"), facts.steps, () => facts.steps.map((step) => {
    const tone = { done: "well", running: "running", failed: "fault", stopped: "waiting" }[step.state] ?? "waiting";
    return element("tr", {},
      element("th", { scope: "row" }, step.run ? element("a", { href: `/run/${runPath(step.run)}` }, step.name) : step.name,
        ...step.failures.map((text) => element("span", { className: "wrong" }, text))),
      element("td", { className: "wide" }, step.kind),
      element("td", {}, element("span", { className: `state-word ${tone}` }, step.state)),
      element("td", { className: "number" }, step.score === null || step.score === undefined ? "" : number(step.score)),
      element("td", { className: "number" }, step.device_seconds ? duration(step.device_seconds) : ""));
  }));
}

function showLog(lines, anew) {
  const list = byId("log");
  if (anew) list.replaceChildren();
  list.append(...lines.map((line) =>
    element("li", { className: line.level },
      element("span", { className: "at" }, line.device_seconds === null ? "" : duration(line.device_seconds)),
      line.level === "warning" ? element("b", {}, "problem ") : null, line.text)));
  while (list.children.length > LOG_KEPT) list.firstChild.remove();
  if (isAtEnd) list.parentElement.scrollTop = list.parentElement.scrollHeight;
}

byId("log").parentElement.addEventListener("scroll", ({ target }) => {
  isAtEnd = target.scrollTop + target.clientHeight >= target.scrollHeight - 8;
});

function showSettings() {
  const rows = Object.entries(facts.settings).filter(([, value]) => value !== null && value !== undefined);
  if (facts.dataset) rows.push(["patterns", `${count(facts.dataset.train)} for training, ${count(facts.dataset.test)} for the test`]);
  rows.push(["device kind", [facts.device.kind, facts.device.topology].filter(Boolean).join(", ")], ["folder", name]);
  fill(byId("settings"), [rows, facts.report], () => [
    ...rows.map(([key, value]) => element("div", {}, element("dt", {}, key.replaceAll("_", " ")), element("dd", {}, String(value)))),
    facts.report ? element("div", {}, element("dt", {}, "report"), element("dd", {},
      element("a", { id: "report", href: `/report/${runPath(name)}`, target: "_blank", rel: "noopener" }, "open the report of this run"))) : null]);
  const link = byId("report");
  if (link) link.onclick = openReport;
}

// A link cannot send the token in a header: where reading needs it, the report is asked for first.
async function openReport(clicked) {
  if (!hasToken()) return;
  clicked.preventDefault();
  const shown = window.open("about:blank", "_blank");
  try {
    const { ticket } = await get(`/api/ticket/${runPath(name)}`);
    shown.location = `/report/${runPath(name)}?ticket=${ticket}`;
  } catch (error) {
    shown.close();
    say(error.message);
  }
}

async function follow() {
  let failures = 0;
  for (;;) {
    if (document.hidden) await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
    let lost = "The server does not answer; trying again.";
    const ending = new AbortController();
    const hide = () => document.hidden && ending.abort();
    document.addEventListener("visibilitychange", hide);
    try {
      for await (const { kind, content } of events(`/api/events/${runPath(name)}`, ending.signal)) {
        failures = 0;
        setText(byId("connection"), "");
        if (kind === "news") take(content);
        if (kind === "gone") lost = content.message;
      }
    } catch (error) {
      if (error.status === 401) {
        if (!(await askForToken("From another machine a run is shown to those who have the token."))) return;
        continue;
      }
      if (error.status === 404) {
        setText(byId("connection"), "");
        setText(byId("title"), "No such run");
        setText(byId("subtitle"), error.message);
        return;
      }
      if (error.status) lost = error.message;
      if (error.name !== "AbortError") console.warn(error.message);
    } finally {
      document.removeEventListener("visibilitychange", hide);
    }
    if (document.hidden) continue;
    setText(byId("connection"), lost);
    await new Promise((again) => setTimeout(again, AGAIN_MS[Math.min(failures++, AGAIN_MS.length - 1)]));
  }
}

onChoice(() => facts && showCurves(facts));
await askIfReadingNeedsIt();
follow();
