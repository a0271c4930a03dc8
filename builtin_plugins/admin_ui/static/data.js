/** What there is of a plugin: how much, and the ways to get rid of it. */

import { ask, byId, bytes, confirm, el, plural, say, work } from "./desk.js";

const KINDS = {
  database: "Database", keys: "Keys and values", table: "Table", events: "Events that nobody has heard yet", blobs: "Files in the storage",
  files: "Files in its folder", settings: "Settings", jobs: "Jobs", schedules: "Timed jobs", deprecations: "Notes on deprecated calls",
  elsewhere: "Kept by others", code: "Its code",
};

const words = ({ kind, name }) => [KINDS[kind] ?? kind, name].filter(Boolean).join(": ");

/** A table of what would go, in rows and bytes. */
const preview = (holdings) => holdings.length
  ? el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "What there is" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "What"), el("th", { scope: "col", class: "number" }, "How many"), el("th", { scope: "col", class: "number" }, "Size"))),
    el("tbody", {}, holdings.map((each) => el("tr", {}, el("td", {}, words(each)), el("td", { class: "number" }, each.rows.toLocaleString()),
      el("td", { class: "number" }, each.bytes === null ? "" : bytes(each.bytes)))))))
  : el("p", {}, "There is nothing.");

/** One of several, as radio buttons. */
const option = (name, value, text, attributes = {}) => {
  const id = `${name}-${value}`;
  return el("div", { class: "check" }, el("input", { type: "radio", name, value, id, ...attributes }), el("label", { for: id }, text));
};

/** A last copy, in a file that needs no Stagebox to be read. */
const copy = (id) => el("a", { class: "button", href: exportOf(id), download: "" }, "Export it first");
const exportOf = (id) => `/api/admin/plugins/${encodeURIComponent(id)}/export`;

const held = async (api) => ask(`${api}?preview=true`, { method: "DELETE" });
const total = ({ rows, bytes: size }) => `${plural(rows, "row")} (${bytes(size)})`;

/** Asks which part of its data shall go, showing all of it. Returns whether something went. */
export async function purge(plugin, id, api) {
  const found = await held(api);
  const kept = found.holdings.filter((each) => each.kind !== "code");
  const values = kept.find((each) => each.kind === "keys")?.rows ?? 0;
  const all = !plugin?.protected;
  const form = el("fieldset", {}, el("legend", {}, "Remove"),
    all ? option("scope", "all", `everything that it keeps, settings included: ${total(found)}`, { checked: true }) : null,
    option("scope", "data", `only its keys and values: ${plural(values, "value")}`, { checked: !all }));
  const text = [el("p", {}, "What is removed is gone for good."), form, preview(kept), el("p", { class: "buttons" }, copy(id))];
  const name = plugin?.name ?? id;
  if (!(await confirm(`Purge ${name}?`, text, "Purge", { danger: true }))) return null;
  const scope = form.querySelector("input:checked").value;
  await ask(`${api}/purge`, { body: { scope } });
  return scope === "all" ? `Nothing is left of what ${name} kept.` : `The keys and values of ${name} are gone.`;
}

/** Removes its code, and what it keeps if that is wished. */
export async function uninstall(plugin, api) {
  const found = await held(api);
  const box = el("input", { type: "checkbox", id: "with-data" });
  const text = [el("p", {}, "Its code is removed. What it keeps stays, unless you say otherwise:"),
    el("p", { class: "check" }, box, el("label", { for: "with-data" }, `purge ${total(found)} as well`)), preview(found.holdings), el("p", { class: "buttons" }, copy(plugin.id))];
  if (!(await confirm(`Uninstall ${plugin.name}?`, text, "Uninstall", { danger: true }))) return;
  await ask(`${api}?purge=${box.checked}`, { method: "DELETE" });
  location.assign("/admin/plugins");
}

const tables = (data) => data.tables.length
  ? el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Table"), el("th", { scope: "col", class: "number" }, "Rows"))),
    el("tbody", {}, data.tables.map((each) => el("tr", {}, el("td", {}, each.name), el("td", { class: "number" }, each.rows.toLocaleString())))))
  : "";

/** The part of a plugin's page about its data. `plugin` is null when only its data are left. */
export async function showData(plugin, id) {
  const data = await ask(`/api/admin/plugins/${encodeURIComponent(id)}/data`);
  const rows = data.tables.reduce((sum, each) => sum + each.rows, 0);
  byId("data-part").hidden = false;
  byId("data").textContent = `It keeps ${plural(data.keys, "value")}, ${plural(rows, "row")} in ${plural(data.tables.length, "table")} (${bytes(data.bytes)}), ${plural(data.blobs.count, "file")} (${bytes(data.blobs.bytes)}).`;
  byId("tables").replaceChildren(tables(data));
  byId("export").href = exportOf(id);
  const on = plugin?.enabled ?? false;
  byId("purge").disabled = on;
  byId("purge-why").hidden = !on || plugin.protected;
  byId("purge").hidden = on && plugin.protected;
  byId("uninstall").hidden = plugin?.source !== "folder";
  byId("uninstall-how").hidden = plugin?.source !== "entry-point";
}

/** Makes the buttons work; `now` gives the plugin as it is, `load` shows the page anew. */
export function offerRemoval(now, id, api, load) {
  byId("purge").addEventListener("click", ({ currentTarget }) => work(currentTarget, async () => {
    const done = await purge(now(), id, api);
    if (!done) return;
    await load();
    say(done);
  }));
  byId("uninstall").addEventListener("click", ({ currentTarget }) => work(currentTarget, () => uninstall(now(), api)));
}
