// Bench health, links and interlocks.

import { byId, element, fill, put, setText } from "./dom.js";
import { spark } from "./plot.js";
import { count, duration, number } from "./words.js";

const STANDINGS = {
  within: ["✓", "within its bounds", "well"],
  beyond: ["⚠", "beyond its bounds", "fault"],
  "not bounded": ["–", "no bounds", "waiting"],
  "no reading": ["?", "no reading", "waiting"],
};

const plots = new Map();

function cell(label, value, tone = "") {
  return element("div", { className: tone }, element("dt", {}, label), element("dd", {}, value));
}

function ageOf(watched) {
  return watched?.at_s ? Math.max(0, Date.now() / 1000 - watched.at_s) : null;
}

export function showHealth(facts, history) {
  const { channels, watched } = facts;
  const holder = byId("health");
  if (!channels.length) {
    fill(holder, "none", () => element("p", { className: "quiet" }, "This device reports nothing of its own health."));
    return;
  }
  const isLive = ["running", "paused"].includes(facts.state);
  const age = ageOf(watched);
  const told = !watched
    ? "The run has told no reading: only what an interlock watches is read while it trains."
    : isLive && age > 10
      ? `The newest reading is ${duration(age)} old.`
      : "Newest readings, as the interlocks saw them.";
  const charts = channels.filter(({ name }) => history.get(name)?.length > 1);
  let list = holder.querySelector(".tiles");
  if (!list) {
    put(holder, element("p", { className: "quiet small" }), element("dl", { className: "tiles" }),
      element("div", { className: "sparks" }));
    list = holder.querySelector(".tiles");
  }
  setText(holder.querySelector("p"), told);
  fill(list, channels, () => channels.map(({ name, reading, unit, standing }) =>
    cell(name, reading === null ? "–" : `${number(reading)} ${unit}`, standing === "beyond" ? "fault" : "")));
  for (const channel of charts) {
    if (!plots.has(channel.name)) {
      const title = element("h4", {}, `${channel.name}, ${channel.unit}`);
      const place = element("div", { className: "plot low", role: "img", ariaLabel: `${channel.name} over time` });
      holder.querySelector(".sparks").append(title, place);
      plots.set(channel.name, spark(place, channel));
    }
    plots.get(channel.name)(history.get(channel.name), channel);
  }
}

export function showLinks(facts) {
  const links = Object.entries(facts.links);
  if (!links.length) {
    fill(byId("links"), "none", () => element("p", { className: "quiet" },
      "No link has told of itself: a twin has none, and a run tells of its links while it goes on."));
    return;
  }
  fill(byId("links"), links, () => element("div", { className: "scroll", tabindex: "0", role: "region", ariaLabel: "Links" },
    element("table", {},
      element("thead", {}, element("tr", {},
        ...["Link", "Latency", "Exchanges", "Retries", "Recoveries"].map((word, place) =>
          element("th", { scope: "col", className: place ? "number" : "" }, word)))),
      element("tbody", {}, ...links.map(([name, link]) => element("tr", {},
        element("th", { scope: "row" }, name),
        element("td", { className: "number" }, duration(link.latency_s),
          element("span", { className: "when" }, `at most ${duration(link.slowest_s)}`)),
        element("td", { className: "number" }, count(link.exchanges)),
        element("td", { className: `number ${link.retries ? "warning" : ""}` }, count(link.retries)),
        element("td", { className: `number ${link.recoveries ? "warning" : ""}` }, count(link.recoveries))))))));
}

export function showInterlocks(facts) {
  const bounded = facts.channels.filter(({ lower, upper }) => lower !== null || upper !== null);
  const isTripped = facts.state === "tripped";
  fill(byId("interlocks"), [isTripped, bounded], () => [
    isTripped ? element("p", { className: "said fault" }, "⚠ Tripped: why stands at the top of this page.") : null,
    bounded.length ? tableOf(bounded)
      : element("p", { className: "quiet" }, "No interlock is set, and the device has none of its own."),
  ]);
}

function tableOf(bounded) {
  return element("div", { className: "scroll", tabindex: "0", role: "region", ariaLabel: "Interlocks" },
    element("table", {},
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, "Channel"), element("th", { scope: "col", className: "number" }, "Reading"),
        element("th", { scope: "col", className: "number" }, "Allowed"), element("th", { scope: "col" }, "Standing"))),
      element("tbody", {}, ...bounded.map((channel) => {
        const [sign, words, tone] = STANDINGS[channel.standing];
        return element("tr", {},
          element("th", { scope: "row" }, channel.name),
          element("td", { className: "number" }, channel.reading === null ? "–" : `${number(channel.reading)} ${channel.unit}`),
          element("td", { className: "number" }, allowed(channel)),
          element("td", {}, element("span", { className: `state-word ${tone}` },
            element("span", { ariaHidden: "true" }, `${sign} `), words)));
      }))));
}

function allowed({ lower, upper, unit }) {
  if (lower === null) return `≤ ${number(upper)} ${unit}`;
  if (upper === null) return `≥ ${number(lower)} ${unit}`;
  return `${number(lower)} to ${number(upper)} ${unit}`;
}

