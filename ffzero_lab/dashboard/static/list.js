// The list of runs: newest first, looked at again every few seconds while somebody sees it.

import { byId, element, fill, setText } from "./dom.js";
import { get, runPath, takeToken } from "./link.js";
import { askForToken, askIfReadingNeedsIt } from "./token.js";
import { STATES, count, score, whenAndName } from "./words.js";

const EVERY_MS = 3000;
const AT_FIRST = 200;

takeToken();
const under = new URLSearchParams(location.search).get("under") ?? "";
let most = AT_FIRST;
let asked = 0;

function stateOf(row) {
  if (row.kind === "sweep" || row.kind === "comparison") {
    return element("span", { className: "state-word" }, `${row.kind} of ${row.points} run${row.points === 1 ? "" : "s"}`);
  }
  const [words, sign, tone] = STATES[row.state] ?? [row.state, "•", "waiting"];
  return element("span", { className: `state-word ${tone}` }, element("span", { ariaHidden: "true" }, `${sign} `), words);
}

function resultOf(row) {
  if (row.test_accuracy !== null && row.test_accuracy !== undefined) return score(row.test_accuracy, "accuracy");
  if (row.test_r2 !== null && row.test_r2 !== undefined) return score(row.test_r2, "r2");
  return "";
}

function lineOf(row) {
  const [when, name] = whenAndName(row.run);
  const isGroup = row.kind === "sweep" || row.kind === "comparison";
  const href = isGroup ? `/?under=${encodeURIComponent(row.path)}` : `/run/${runPath(row.path)}`;
  const about = row.kind === "protocol" ? "protocol" : [row.dataset, row.device].filter(Boolean).join(" on ");
  return element(
    "tr",
    {},
    element(
      "th",
      { scope: "row" },
      element("a", { href }, name),
      element("span", { className: "when" }, when),
      element("span", { className: "narrow about" }, about),
      row.problem ? element("span", { className: "wrong" }, row.problem) : null,
    ),
    element("td", {}, stateOf(row)),
    element("td", { className: "number" }, resultOf(row)),
    element("td", { className: "wide" }, row.kind === "protocol" ? `protocol ${row.dataset}` : row.dataset ?? ""),
    element("td", { className: "wide" }, row.device ?? ""),
    element("td", { className: "wide number" }, row.seed === null || row.seed === undefined ? "" : String(row.seed)),
    element("td", { className: "wide number" }, row.shots === null || row.shots === undefined ? "" : count(row.shots)),
  );
}

function show({ rows, total, folder }) {
  const where = under ? under.split("/").at(-1) : folder;
  const filtered = byId("words").value.trim() !== "";
  setText(byId("title"), under ? `Runs of ${whenAndName(where)[1]}` : "Runs");
  const some = total === 1 ? "1 run" : `${count(total)} runs`;
  const told = filtered ? `${some} found in ${where}` : total ? `${some} in ${where}` : `no runs in ${where} yet`;
  setText(byId("summary"), told);
  fill(byId("runs").tBodies[0], rows, () => rows.map(lineOf));
  byId("more").hidden = rows.length >= total || most >= 1000;
}

async function look() {
  const mine = ++asked;
  const query = new URLSearchParams({ under, words: byId("words").value, most });
  try {
    const found = await get(`/api/runs?${query}`);
    if (mine !== asked) return;
    setText(byId("connection"), "");
    show(found);
  } catch (error) {
    if (error.status === 401) {
      if (await askForToken("From another machine the runs are shown to those who have the token.")) await look();
      return;
    }
    const lost = error.status ? error.message : "The server does not answer; trying again.";
    setText(byId("connection"), lost);
  }
}

async function goOn() {
  if (!document.hidden) await look();
  setTimeout(goOn, EVERY_MS);
}

byId("filter").addEventListener("submit", (submitted) => submitted.preventDefault());
byId("words").addEventListener("input", look);
byId("more").addEventListener("click", () => {
  most = 1000;
  look();
});
await askIfReadingNeedsIt();
document.addEventListener("visibilitychange", () => document.hidden || look());
goOn();
