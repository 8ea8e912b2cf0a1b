// Speaks to the server: the token, requests, and the stream of events.

const KEPT = "ffzero-lab token";
const HEADER = "X-FFzero-Token";

// The token comes in the fragment, which is sent to nobody, and leaves the address bar at once. It is kept for this tab.
export function takeToken() {
  const found = /^#token=([\w-]+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(KEPT, found[1]);
  history.replaceState(null, "", location.pathname + location.search);
}

export const hasToken = () => sessionStorage.getItem(KEPT) !== null;
export const keepToken = (token) => sessionStorage.setItem(KEPT, token);
export const forgetToken = () => sessionStorage.removeItem(KEPT);

function headers(more = {}) {
  const token = sessionStorage.getItem(KEPT);
  return token === null ? more : { ...more, [HEADER]: token };
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answered(response) {
  if (response.ok) return response.json();
  const told = await response.json().catch(() => ({}));
  throw new Refused(response.status, told.error ?? `the server answered with ${response.status}`);
}

export async function get(path, signal) {
  return answered(await fetch(path, { headers: headers(), signal, cache: "no-store" }));
}

export async function post(path, content) {
  const more = headers({ "Content-Type": "application/json" });
  return answered(await fetch(path, { method: "POST", headers: more, body: JSON.stringify(content) }));
}

// Server-sent events, read by hand: EventSource cannot send the token in a header.
export async function* events(path, signal) {
  const response = await fetch(path, { headers: headers(), signal, cache: "no-store" });
  if (!response.ok) await answered(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      const kind = lines.find((line) => line.startsWith("event: "))?.slice(7);
      yield { kind: kind ?? "alive", content: data ? JSON.parse(data) : null };
    }
  }
}

export const runPath = (name) => name.split("/").map(encodeURIComponent).join("/");
