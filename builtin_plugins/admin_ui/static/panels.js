/** Panels that plugins contribute. Each is asked by itself, and what it answers is drawn as text:
 *  one that fails, hangs or talks nonsense is trouble in its own place. */

import { el, pause } from "./desk.js";

const PATIENCE = 5_000;
const PACE = 10_000;
const MOST = 64 * 1024;
const STATES = { good: ["good", "good"], warning: ["attention", "needs a look"], bad: ["bad", "in trouble"] };

class Gone extends Error {}

/** What is read of an answer that is no panel, or of somebody's whole library. */
async function read(answer) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks(answer.body)) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MOST) throw new Error("It answers far too much for a panel.");
  }
  return text;
}

async function* chunks(body) {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function asked(url) {
  let answer;
  let text;
  try {
    answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(PATIENCE) });
    if ([401, 403, 404].includes(answer.status)) throw new Gone();
    if (!answer.ok) throw new Error(`It answers ${answer.status}.`);
    text = await read(answer);
  } catch (error) {
    if (error.name === "TimeoutError") throw new Error(`It has not answered for ${PATIENCE / 1000} seconds.`);
    if (error instanceof TypeError) throw new Error("It does not answer.");
    throw error;
  }
  try {
    return checked(JSON.parse(text));
  } catch {
    throw new Error("What it answers is no panel.");
  }
}

const listOf = (value, most) => (Array.isArray(value) ? value.slice(0, most) : []);
const words = (value, most) => (["string", "number"].includes(typeof value) ? String(value).slice(0, most) : "");

/** As the SDK's PANEL describes it, and nothing else. */
function checked(content) {
  if (typeof content !== "object" || content === null || Array.isArray(content)) throw new Error("no object");
  return {
    state: Object.hasOwn(STATES, content.state) ? content.state : null,
    text: words(content.text, 500),
    facts: listOf(content.facts, 12).map((each) => ({ name: words(each.name, 80), value: number(each.value) })),
    links: listOf(content.links, 5).filter((each) => /^\/([^/\\\s]|$)/.test(each.url)).map((each) => ({ title: words(each.title, 80) || each.url, url: each.url })),
  };
}

const number = (value) => (typeof value === "number" ? value.toLocaleString() : words(value, 200));

function drawn({ state, text, facts, links }) {
  return [
    state ? el("p", {}, el("span", { class: `state ${STATES[state][0]}` }, STATES[state][1])) : "",
    text ? el("p", {}, text) : "",
    facts.length ? el("dl", {}, facts.flatMap(({ name, value }) => [el("dt", {}, name), el("dd", {}, value)])) : "",
    links.length ? el("p", { class: "buttons" }, links.map(({ title, url }) => el("a", { href: url }, title))) : "",
  ];
}

/** One panel, which goes on asking for itself until it is taken away. */
function live(plugin, { title, url }) {
  const content = el("div", {}, el("p", { class: "faint" }, "Asking…"));
  const card = el("section", { class: "card panel", "data-panel": url, "aria-label": `${title}, from ${plugin.name}` },
    el("h3", {}, title), content, el("p", {}, el("small", {}, "from ", el("a", { href: `/admin/plugins/${plugin.id}` }, plugin.name))));
  let shown = "";
  const draw = (what, made) => {
    if (what === shown || content.contains(document.activeElement)) return;
    shown = what;
    content.replaceChildren(...made());
  };
  const look = async () => {
    try {
      const found = await asked(url);
      draw(JSON.stringify(found), () => drawn(found));
    } catch (error) {
      if (error instanceof Gone) return card.remove();
      draw(error.message, () => [el("p", { class: "problem" }, error.message)]);
    }
    return undefined;
  };
  const follow = async () => {
    do {
      if (!document.hidden) await look();
      await pause(PACE);
    } while (card.isConnected);
  };
  return { card, follow };
}

/** Puts the panels of these plugins into a place; returns how many there are. */
export function showPanels(place, plugins) {
  const found = plugins.flatMap((plugin) => (plugin.frontend.panels ?? []).map((panel) => ({ plugin, panel })));
  found.sort((one, other) => one.panel.order - other.panel.order || one.panel.title.localeCompare(other.panel.title));
  const made = found.map(({ plugin, panel }) => live(plugin, panel));
  place.replaceChildren(...made.map((each) => each.card));
  for (const each of made) each.follow();
  return made.length;
}
