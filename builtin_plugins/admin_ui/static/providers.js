import { ask, byId, button, el, may, ready, say, work } from "./desk.js";

function row(type, provider, first) {
  const label = `${type}: ${provider.name}`;
  const buttons = [
    may("ADMIN") ? button("Test", async () => {
      const { message } = await ask(`/api/admin/providers/${type}/${encodeURIComponent(provider.name)}/test`, { method: "POST" });
      say(`${label}: ${message}`);
    }, { "aria-label": `Test ${label}` }) : null,
    may("MANAGE_SETTINGS") && !provider.active ? button("Use", async () => {
      await ask(`/api/plugins/providers/${type}/active`, { method: "PUT", body: { name: provider.name } });
      await show();
      say(`${label} is used now.`);
    }, { "aria-label": `Use ${label}` }) : null,
  ];
  const state = provider.active ? el("span", { class: "state active" }, "in use") : provider.chosen ? el("span", { class: "state errored" }, "chosen, but not there") : null;
  return el("li", { "data-name": provider.name }, el("div", { class: "head" },
    el("h3", {}, provider.name), el("small", {}, "from ", el("a", { href: `/admin/plugins/${provider.pluginId}` }, provider.pluginId)),
    state, first ? el("small", {}, "asked first") : null, el("span", { class: "buttons" }, buttons)));
}

async function show() {
  const types = await ask("/api/plugins/providers");
  byId("providers").replaceChildren(...Object.entries(types).flatMap(([type, providers]) => [
    el("h2", { id: `type-${type}` }, type),
    providers.length
      ? el("ol", { class: "list", "aria-labelledby": `type-${type}` }, providers.map((each, at) => row(type, each, type === "metadata" && !at)))
      : el("p", { class: "faint" }, "No active plugin offers one."),
  ]));
  ready("providers");
}

work(null, show);
