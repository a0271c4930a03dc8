import { Refusal, ask, byId, el, may, plural, ready, record, say, shared, when, work } from "./desk.js";
import { offerRemoval, showData } from "./data.js";
import { mark, refuse, valid } from "./fields.js";
import { showPanels } from "./panels.js";
import { fields, read } from "./settings-form.js";
import { disable, enable, meanings } from "./switching.js";

const id = byId("plugin").dataset.id;
const api = `/api/plugins/${encodeURIComponent(id)}`;
let plugin = null;

const items = (title, list) => list.length ? [el("dt", {}, title), ...list.map((item) => el("dd", {}, item))] : [];

function showHead() {
  document.querySelector("main h1").textContent = plugin.name;
  document.title = `${plugin.name} · Stagebox`;
  byId("about").textContent = plugin.description;
  byId("state").textContent = plugin.state;
  byId("state").className = `state ${plugin.state}`;
  byId("version").textContent = `${id} ${plugin.version}`;
  byId("source").textContent = plugin.source;
  const fault = byId("fault");
  fault.hidden = !plugin.error && !plugin.conflicts.length;
  fault.replaceChildren(
    ...(plugin.error ? [el("p", {}, el("strong", {}, plugin.error.code), ` ${plugin.error.message}`), plugin.error.incident ? el("p", {}, `Incident ${plugin.error.incident}: the log below says more.`) : ""] : []),
    ...plugin.conflicts.map((each) => el("p", {}, `${each.source} ${each.version}: ${each.message}`)));
  const capabilities = meanings();
  const switches = [];
  if (may("MANAGE_PLUGINS") && !(plugin.enabled && plugin.protected)) {
    const button = el("button", { type: "button", class: plugin.enabled ? null : "main" }, plugin.enabled ? "Disable" : "Enable");
    button.addEventListener("click", () => work(button, async () => {
      const now = await (plugin.enabled ? disable : enable)(plugin);
      if (!now) return;
      await load();
      if (!now.error) say(`${now.name} is ${now.state}.`);
      byId("switches").querySelector("button")?.focus();
    }));
    switches.push(button);
    if (plugin.enabled && ["errored", "quarantined"].includes(plugin.state)) switches.push(retry());
  }
  if (plugin.protected) switches.push(el("small", {}, "Stagebox needs it: it cannot be disabled."));
  if (plugin.state === "active" && plugin.hasSettingsHtml) switches.push(el("a", { class: "button", href: `${api}/settings` }, "Its own settings page"));
  byId("switches").replaceChildren(...switches);
  byId("brings").replaceChildren(
    ...items("Routes below", plugin.routes.paths ?? [plugin.routes.prefix]),
    ...items("Runs", [plugin.bundled ? "as a part of Stagebox, inside of the host" : "inside of the host, with all that the host's process may"]),
    ...items("Capabilities", plugin.capabilities.map((each) => `${each}: ${capabilities.get(each) ?? ""}`)),
    ...items("Permissions", plugin.permissions.map((each) => `${each.name}: ${each.description}`)),
    ...items("Providers", plugin.providers.map((each) => `${each.type}: ${each.name}`)),
    ...items("Needs", plugin.requires),
    ...items("Pages", plugin.frontend.pages.map((each) => el("a", { href: each.url }, each.title))),
    ...items("Authors", plugin.authors.map((each) => each.name)),
    ...items("License", plugin.license ? [plugin.license] : []),
    ...items("Home", plugin.homepage ? [homepage(plugin.homepage)] : []));
}

/** A link only when it leads to the web: manifests are written by strangers. */
const homepage = (url) => (/^https?:\/\//.test(url) ? el("a", { href: url, rel: "noreferrer" }, url) : url);

/** For one that failed: whatever kept it from starting may be mended by now. One that asks for
 *  more than was agreed to waits for that alone. */
function retry() {
  const again = el("button", { type: "button", class: "main" }, plugin.added ? "Confirm…" : "Try again");
  again.addEventListener("click", () => work(again, async () => {
    const now = plugin.added ? await enable(plugin) : await ask(`${api}/enable`, { method: "POST" });
    if (!now) return;
    await load();
    if (!now.error) say(`${now.name} is ${now.state}.`);
    byId("switches").querySelector("button")?.focus();
  }));
  return again;
}

async function showSettings() {
  const form = byId("settings");
  byId("settings-part").hidden = !plugin.hasSettings;
  if (!plugin.hasSettings) return;
  const [first, sources] = await Promise.all([ask(`${api}/config`), ask(`${api}/config/sources`)]);
  let values = first;
  const schema = plugin.settingsSchema;
  const pinned = new Map(Object.entries(sources).filter(([, each]) => each.source === "file").map(([name, each]) => [name, each.where]));
  const save = may("MANAGE_SETTINGS") ? el("p", { class: "buttons" }, el("button", { class: "main" }, "Save settings")) : null;
  form.replaceChildren(...fields(schema, values, [], pinned), ...(save ? [save] : []));
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!valid(form)) return;
    work(form.querySelector("button.main"), async () => {
      try {
        values = await ask(`${api}/config`, { method: "PUT", body: read(form, schema, values, pinned) });
        say("The settings are saved.");
      } catch (error) {
        if (error.input) {
          mark(error.input, error.message);
          error.input.focus();
          return;
        }
        if (!(error instanceof Refusal)) throw error;
        const { found, rest } = refuse(form, error);
        if (!found || rest.length) throw error;
      }
    });
  };
}

async function showFigures() {
  if (!may("ADMIN")) return;
  const { load, startedAt, otherProcesses } = await ask("/api/admin/overview");
  const own = load.find((each) => each.plugin === id);
  byId("figures-part").hidden = !own;
  if (!own) return;
  const mean = own.calls ? `, ${((1000 * own.seconds) / own.calls).toFixed(1)} ms each` : "";
  byId("figures").textContent = `${plural(own.calls, "call")} since ${when(startedAt)}: ${own.seconds} seconds in all${mean}; ${plural(own.failures, "failure")}. ${shared(otherProcesses)}`;
}

/** Calls of its code that a later version of the host will not have any more. */
async function showDeprecated() {
  if (!may("ADMIN")) return;
  const found = (await ask("/api/admin/deprecations")).filter((each) => each.pluginId === id);
  byId("deprecated-part").hidden = !found.length;
  byId("deprecated").replaceChildren(...found.map((each) => el("li", {},
    el("strong", {}, each.name), ` is gone in version ${each.removedIn} of the SDK: ${each.instead} `,
    el("small", {}, `${each.place}, ${plural(each.count, "time")}, last ${when(each.lastSeen)}, by version ${each.pluginVersion}`))));
}

async function showLog() {
  if (!may("ADMIN")) return;
  byId("log-part").hidden = false;
  byId("jobs").href = `/admin/jobs?plugin=${encodeURIComponent(id)}`;
  byId("all-log").href = `/admin/logs?plugin=${encodeURIComponent(id)}`;
  const found = await ask(`/api/admin/log?${new URLSearchParams({ plugin: id, level: "info", limit: 50 })}`);
  byId("log").replaceChildren(...(found.length ? found.toReversed().map(record) : [el("p", {}, "No records.")]));
}

/** Whether there are data of a plugin that is gone. */
async function left() {
  try {
    return await ask(`/api/admin/plugins/${encodeURIComponent(id)}/data`);
  } catch (error) {
    if (error.status !== 404) throw error;
    return null;
  }
}

async function load() {
  try {
    plugin = await ask(api);
    showHead();
  } catch (error) {
    if (error.status !== 404) throw error;
    plugin = null;
    document.querySelector("main h1").textContent = id;
    for (const part of ["facts", "brings-part"]) byId(part).hidden = true;
    const kept = may("ADMIN") && (await left());
    byId("about").textContent = kept ? "This plugin is not installed. What it kept is still here." : "There is no plugin of this id, and nothing that one kept.";
    if (!kept) return ready("plugin");
  }
  const panels = plugin && may("ADMIN") ? [plugin] : [];
  byId("panels-part").hidden = !showPanels(byId("panels"), panels);
  await Promise.all([plugin ? showSettings() : null, may("ADMIN") ? showData(plugin, id) : null, showFigures(), showDeprecated(), showLog()]);
  ready("plugin");
}

offerRemoval(() => plugin, id, api, load);
work(null, load);
