/** Switching plugins on and off, with everything said before it happens. */

import { ask, byId, confirm, el } from "./desk.js";

export const meanings = () => {
  const list = [...(byId("capabilities")?.children ?? [])];
  return new Map(list.filter((each) => each.tagName === "DT").map((each) => [each.textContent, each.nextElementSibling.textContent]));
};

/** What a plugin may do and what it adds, as elements for a dialog. `added` are names that nobody
 *  agreed to yet, though an earlier version was agreed to. */
export function declared(plugin, added = plugin.added ?? []) {
  const known = meanings();
  const fresh = new Set(added);
  const item = (text, name) => el("li", {}, fresh.has(name) ? [el("strong", { class: "added" }, "new"), " "] : null, text);
  const list = (title, items) => items.length ? [el("h3", {}, title), el("ul", {}, items.map(([text, name]) => item(text, name)))] : [];
  const trust = plugin.bundled
    ? "It is part of Stagebox."
    : "Its code runs inside of this host and can do whatever the host's process may. Enable it only if you trust who made it.";
  return [
    fresh.size ? el("p", { class: "warning" }, `This version asks for more than was confirmed before: ${[...fresh].join(", ")}.`) : "",
    el("p", {}, trust),
    ...list("It asks for", plugin.capabilities.map((each) => [known.get(each) ?? each, each])),
    ...list("It brings permissions that you can grant", plugin.permissions.map((each) => [`${each.name}: ${each.description}`, each.name])),
    ...list("It offers to play the role of", plugin.providers.map((each) => [`${each.type}: ${each.name}`])),
    ...list("It needs", (plugin.requires ?? []).map((each) => [each])),
  ];
}

/** The plugin as it is then, or null when the visitor did not want it after all. */
export async function enable(plugin) {
  if (!(await confirm(`Enable ${plugin.name} ${plugin.version}?`, declared(plugin), "Enable"))) return null;
  return ask(`/api/plugins/${plugin.id}/enable`, { method: "POST" });
}

export async function disable(plugin) {
  const own = plugin.id === "admin_ui" ? " These very pages are part of it: you come back to them by `stagebox plugin enable admin_ui`." : "";
  const text = el("p", {}, `Its pages and routes go away at once. What it keeps stays.${own}`);
  if (!(await confirm(`Disable ${plugin.name}?`, text, "Disable"))) return null;
  return ask(`/api/plugins/${plugin.id}/disable`, { method: "POST" });
}
