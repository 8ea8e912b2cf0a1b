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

// Replaces the children only when they would differ, so that focus, selection and a reader's place stay.
export function fill(parent, ...children) {
  const holder = element("div", {}, ...children);
  if (parent.dataset.shown === holder.innerHTML) return;
  parent.dataset.shown = holder.innerHTML;
  parent.replaceChildren(...holder.childNodes);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
