// The buttons. Each asks first, and what is asked goes into the run's control folder; the answer comes with its status.

import { byId, element, fill } from "./dom.js";
import { forgetToken, hasToken, post, runPath } from "./link.js";
import { askForToken } from "./token.js";

const ASKED = {
  pause: {
    label: "Pause",
    sure: "Pause and park",
    told: "It ends the exchange in flight, parks the bench and waits until somebody lets it go on. Nothing is lost.",
  },
  continue: {
    label: "Continue",
    sure: "Continue",
    told: "The bench is switched on again, and the run goes on where it paused. If it waits for an answer, this agrees.",
  },
  stop: {
    label: "Stop",
    sure: "Stop and park",
    told: "It ends the exchange in flight, parks the bench, saves and ends. It can be resumed from the command line.",
  },
};

function confirmed(request, name, reason) {
  const dialog = byId("confirm");
  const { label, sure, told } = ASKED[request];
  return new Promise((resolve) => {
    const cancel = element("button", { type: "button", onclick: () => dialog.close("") }, "Cancel");
    dialog.replaceChildren(
      element("h2", { id: "confirm-title" }, `${label} this run?`),
      element("p", { className: "name" }, name),
      element("p", {}, told),
      ...(request === "continue" && reason ? [element("p", { className: "question" }, reason)] : []),
      element(
        "div",
        { className: "buttons" },
        cancel,
        element("button", { type: "button", className: `main ${request}`, onclick: () => dialog.close("yes") }, sure),
      ),
    );
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.returnValue = "";
    dialog.showModal();
    cancel.focus();
  });
}

// What the run said when the button was pressed goes along: an answer is none to a question that came meanwhile.
async function ask(request, name, say, reason) {
  if (!hasToken() && !(await askForToken("Control needs the token."))) return;
  if (!(await confirmed(request, name, reason))) return;
  try {
    await post(`/api/control/${runPath(name)}`, request === "continue" ? { request, seen: reason } : { request });
    say(`Asked to ${request}. Waiting for the run's answer…`, request);
  } catch (error) {
    if (error.status === 401) forgetToken();
    say(error.status ? `Not asked to ${request}: ${error.message}` : "The server does not answer: nothing was asked.");
  }
}

export function showControls(facts, name, say) {
  const owner = ["running", "paused"].includes(facts.state) ? facts.owner : null;
  fill(byId("controls"), [facts.can, owner], () => [
    ...facts.can.map((request) =>
      element("button", { type: "button", className: request, id: `ask-${request}` }, ASKED[request].label),
    ),
    owner ? element("a", { href: `/run/${runPath(owner)}` }, "Control it at its protocol") : null,
  ]);
  for (const request of facts.can) byId(`ask-${request}`).onclick = () => ask(request, name, say, facts.reason);
}
