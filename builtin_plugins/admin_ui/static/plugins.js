import { ask, byId, confirm, el, may, plural, ready, say, trouble, work } from "./desk.js";
import { declared, disable, enable } from "./switching.js";

const filter = byId("filter");
let plugins = [];

function row(plugin) {
  const canSwitch = may("MANAGE_PLUGINS") && !(plugin.enabled && plugin.protected);
  const label = plugin.enabled ? "Disable" : "Enable";
  const button = canSwitch ? el("button", { type: "button", "aria-label": `${label} ${plugin.name}` }, label) : null;
  button?.addEventListener("click", () => work(button, async () => {
    const now = await (plugin.enabled ? disable : enable)(plugin);
    if (!now) return;
    plugins = plugins.map((each) => (each.id === now.id ? now : each));
    show();
    document.querySelector(`[data-id="${CSS.escape(now.id)}"] button`)?.focus();
    if (now.error) trouble(now.error);
    else say(`${now.name} is ${now.state}.`);
  }));
  return el("li", { "data-id": plugin.id },
    el("div", { class: "head" },
      el("h2", {}, el("a", { href: `/admin/plugins/${plugin.id}` }, plugin.name)),
      el("span", { class: `state ${plugin.state}` }, plugin.state),
      el("small", {}, `${plugin.version}, ${plugin.source}`), button),
    plugin.description ? el("p", {}, plugin.description) : null,
    plugin.added && !plugin.error ? el("p", { class: "warning" }, `Asks for more than was confirmed: ${plugin.added.join(", ")}.`) : null,
    plugin.error ? el("p", { class: "problem" }, `${plugin.error.code}: ${plugin.error.message}`) : null);
}

function show() {
  const text = filter.elements.q.value.trim().toLowerCase();
  const state = filter.elements.state.value;
  const fitting = plugins.filter((each) => (!state || each.state === state) && `${each.id} ${each.name} ${each.description}`.toLowerCase().includes(text));
  byId("plugins").replaceChildren(...fitting.map(row));
  byId("count").textContent = `${plural(fitting.length, "plugin")}, ${fitting.filter((each) => each.state === "active").length} active`;
}

async function load() {
  plugins = await ask("/api/plugins");
  show();
  ready("plugins");
}

filter.addEventListener("input", show);
filter.addEventListener("submit", (event) => event.preventDefault());

const install = byId("install");
byId("install-part").hidden = !may("ADMIN");
install.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = install.elements.file.files[0];
  if (!file) return trouble(new Error("Choose a file first."));
  const sent = () => {
    const form = new FormData();
    form.append("file", file);
    return form;
  };
  work(install.querySelector("button"), async () => {
    const plan = await ask("/api/plugins?preview=true", { form: sent() }).catch((error) => {
      error.message = error.message.replace('"plugin.zip"', `"${file.name}"`); // as the host calls it
      throw error;
    });
    if (plan.problems.length) throw new Error(`${plan.name} ${plan.version} cannot be installed here. ${plan.problems.join(" ")}`);
    const known = plugins.find((each) => each.id === plan.id);
    const added = known ? [...plan.addedCapabilities, ...plan.addedPermissions] : [];
    const about = declared({ bundled: false, capabilities: [], permissions: [], providers: [], requires: [], ...plan }, added);
    if (!(await confirm(`${known ? "Upgrade to" : "Install"} ${plan.name} ${plan.version}?`, about, known ? "Upgrade" : "Install"))) return;
    const now = await ask("/api/plugins?accept=true", { form: sent() });
    install.reset();
    await load();
    say(`${now.name} ${now.version} is installed.`);
  });
});

work(null, load);
