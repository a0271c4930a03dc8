import { ask, bytes, byId, confirm, el, every, plural, ready, record, shared, work } from "./desk.js";
import { showPanels } from "./panels.js";
import { comeBack, uptime } from "./restart.js";

const card = (title, big, ...lines) =>
  el("div", { class: "card" }, el("h2", {}, title), el("p", { class: "big" }, big), lines.map((line) => el("p", { class: "faint" }, line)));

function lasting(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return days ? `${plural(days, "day")}, ${hours} h` : hours ? `${hours} h ${minutes} min` : `${minutes} min`;
}

const table = (heads, rows) =>
  el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head, at) => el("th", { scope: "col", class: at ? "number" : null }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, at) => el("td", { class: at ? "number" : null }, cell))))));

const shown = new Map();

/** Fills a place when its content changed, and nobody at the keyboard is in it. */
function fill(id, content, make) {
  const place = byId(id);
  const text = JSON.stringify(content);
  if (shown.get(id) === text || (place !== document.activeElement && place.contains(document.activeElement))) return;
  shown.set(id, text);
  place.replaceChildren(...[make(content)].flat());
}

async function show() {
  const [found, health] = await Promise.all([ask("/api/admin/overview"), ask("/health")]);
  byId("exposed").hidden = !found.exposed;
  byId("shared").textContent = shared(found.otherProcesses);
  const states = Object.entries(found.plugins).map(([state, count]) => `${count} ${state}`);
  const usable = found.disk.total ? Math.round((100 * found.disk.free) / found.disk.total) : 0;
  byId("cards").replaceChildren(
    card("Health", health.status === "OK" ? "Healthy" : "In trouble", `up for ${lasting(found.uptimeSeconds)}`),
    card("Version", `Stagebox ${found.version}`, `SDK ${found.sdk}, Python ${found.python}`, found.platform),
    card("Addresses", found.listeners.join(", ") || "none", found.exposed ? "other machines can reach it" : "this machine only",
      ...(found.websocketUrl ? [`WebSockets: ${found.websocketUrl}`] : [])),
    card("Disk", `${bytes(found.disk.free)} free`, `${usable} % of ${bytes(found.disk.total)}`),
    card("Databases", bytes(found.database.bytes), `the host's own: ${bytes(found.database.host)}`),
    card("Plugins", `${found.plugins.active ?? 0} active`, states.join(", ")),
    card("Jobs", `${found.jobs.running} running`, `${found.jobs.queued} waiting`));
  fill("errors", found.lastErrors, (errors) => (errors.length ? errors.toReversed().map(record) : el("p", {}, "None.")));
  const sizes = new Map(found.database.plugins.map((each) => [each.plugin, each.bytes]));
  const load = new Map(found.load.map((each) => [each.plugin, each]));
  const ids = [...new Set([...sizes.keys(), ...load.keys()])];
  fill("sizes", [found.database.plugins, found.load], () => table(
    ["Plugin", "Database", "Calls", "Failures", "Seconds"],
    ids.map((id) => [el("a", { href: `/admin/plugins/${id}` }, id), sizes.has(id) ? bytes(sizes.get(id)) : "", load.get(id)?.calls ?? "", load.get(id)?.failures ?? "", load.get(id)?.seconds ?? ""])));
  ready("cards");
}

byId("restart").addEventListener("click", ({ currentTarget }) => work(currentTarget, async () => {
  if (!(await confirm("Restart the host?", "What is under way is finished first. The pages are away for some seconds.", "Restart"))) return;
  const before = await uptime();
  await ask("/api/admin/restart", { method: "POST" });
  await comeBack(before);
}));
work(null, async () => {
  byId("panels-part").hidden = !showPanels(byId("panels"), await ask("/api/plugins"));
});
every(5000, show);
