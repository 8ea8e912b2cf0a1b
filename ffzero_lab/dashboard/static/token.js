// Asks for the token, once, where something needs it.

import { byId, element } from "./dom.js";
import { forgetToken, get, hasToken, keepToken } from "./link.js";

// Where other machines can reach the server, reading needs the token as well: it is asked for before anything is.
export async function askIfReadingNeedsIt() {
  if (hasToken()) return;
  const { reading_is_open: isOpen } = await get("/api/token").catch(() => ({ reading_is_open: true }));
  if (!isOpen) await askForToken("From another machine runs are shown to those who have the token.");
}

let asking = null;

// Whoever asks while it is asked gets the same answer: a second dialog would take the first one's place, and its answer.
export function askForToken(why) {
  asking ??= askOnce(why).finally(() => {
    asking = null;
  });
  return asking;
}

function askOnce(why) {
  const dialog = byId("ask-token");
  const input = element("input", { id: "token", type: "password", autocomplete: "off", required: true });
  const said = element("p", { className: "wrong", role: "alert" });
  return new Promise((resolve) => {
    const form = element(
      "form",
      { method: "dialog" },
      element("h2", { id: "ask-token-title" }, "The token"),
      element("p", {}, `${why} It was shown on the terminal when the view was started.`),
      element("label", { htmlFor: "token" }, "Token"),
      input,
      said,
      element(
        "div",
        { className: "buttons" },
        element("button", { type: "button", onclick: () => dialog.close("cancelled") }, "Cancel"),
        element("button", { type: "submit", className: "main" }, "Use it"),
      ),
    );
    form.addEventListener("submit", async (submitted) => {
      submitted.preventDefault();
      keepToken(input.value.trim());
      const { right } = await get("/api/token").catch(() => ({ right: false }));
      if (right) return dialog.close("right");
      forgetToken();
      said.textContent = "That is not the token of this server.";
      input.select();
    });
    dialog.onclose = () => resolve(dialog.returnValue === "right");
    dialog.returnValue = "";
    dialog.replaceChildren(form);
    dialog.showModal();
    input.focus();
  });
}
