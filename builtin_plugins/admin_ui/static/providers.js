import { ask, byId, button, el, may, ready, say, work } from "./desk.js";

/** Types of which all are asked, one after the other: choosing one puts it in front. */
const CHAINS = new Set(["metadata"]);

/** Moves one up: those up to its new place are put in front, the foremost last. */
async function earlier(type, names, at) {
  const front = [...names.slice(0, at - 1), names[at]];
  for (const name of front.toReversed()) {
    await ask(`/api/plugins/providers/${type}/active`, { method: "PUT", body: { name } });
  }
  await show();
  say(`${type}: ${names[at]} is asked earlier.`);
  document.querySelector(`[data-name="${CSS.escape(names[at])}"] button`)?.focus();
}

function row(type, providers, at) {
  const provider = providers[at];
  const chain = CHAINS.has(type);
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
    may("MANAGE_SETTINGS") && chain && at ? button("Earlier", () => earlier(type, providers.map((each) => each.name), at),
      { "aria-label": `Ask ${label} earlier` }) : null,
  ];
  const state = provider.active ? el("span", { class: "state active" }, "in use") : provider.chosen ? el("span", { class: "state errored" }, "chosen, but not there") : null;
  return el("li", { "data-name": provider.name }, el("div", { class: "head" },
    el("h3", {}, provider.name), el("small", {}, "from ", el("a", { href: `/admin/plugins/${provider.pluginId}` }, provider.pluginId)),
    state, chain && !at ? el("small", {}, "asked first") : null, el("span", { class: "buttons" }, buttons)));
}

async function show() {
  const types = await ask("/api/plugins/providers");
  byId("providers").replaceChildren(...Object.entries(types).flatMap(([type, providers]) => [
    el("h2", { id: `type-${type}` }, type),
    providers.length
      ? el("ol", { class: "list", "aria-labelledby": `type-${type}` }, providers.map((_, at) => row(type, providers, at)))
      : el("p", { class: "faint" }, "No active plugin offers one."),
  ]));
  ready("providers");
}

work(null, show);
