// Makes elements. Whatever a run folder says goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const shown = new WeakMap();

// Makes the children only when *what* they tell has changed, and then writes only what differs, so that focus, selection
// and a reader's place stay, and a browser lays out and paints no more than that.
export function fill(parent, what, make) {
  const key = JSON.stringify(what);
  if (shown.get(parent) === key) return;
  shown.set(parent, key);
  become(parent, [...element("div", {}, ...[make()].flat()).childNodes]);
}

// Puts children there whatever stood there before.
export function put(parent, ...children) {
  shown.delete(parent);
  parent.replaceChildren(...children);
}

function become(parent, wanted) {
  const present = [...parent.childNodes];
  wanted.forEach((node, place) => {
    const old = present[place];
    if (!old) parent.append(node);
    else if (old.nodeType === Node.TEXT_NODE && node.nodeType === Node.TEXT_NODE) setText(old, node.data);
    else if (old.nodeName === node.nodeName && old.id === node.id) becomeLike(old, node);
    else old.replaceWith(node);
  });
  for (const old of present.slice(wanted.length)) old.remove();
}

// Attributes and children only: what listens to an element is set after it was shown.
function becomeLike(old, { attributes, childNodes }) {
  for (const { name, value } of attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!attributes.getNamedItem(name)) old.removeAttribute(name);
  become(old, [...childNodes]);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
