import { ask, byId, el, every, record, work } from "./desk.js";

const MOST = 1000;
const filter = byId("filter");
const log = byId("log");
let last = "";
let seen = new Set();
let round = 0; // what was asked before the list began anew is too late

const query = (more) => {
  const values = { ...Object.fromEntries(["level", "plugin", "text"].map((name) => [name, filter.elements[name].value.trim()])), ...more };
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ""));
};

/** Adds what is new. The records of the last known moment come once more; those are known. */
function add(records) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const fresh = records.filter((each) => !seen.has(JSON.stringify(each)));
  byId("none").hidden = Boolean(log.children.length || fresh.length);
  if (!fresh.length) return;
  last = fresh.at(-1).time;
  seen = new Set([...records.filter((each) => each.time === last).map((each) => JSON.stringify(each))]);
  log.append(...fresh.map(record));
  while (log.children.length > MOST) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

async function restart() {
  const mine = ++round;
  const records = await ask(`/api/admin/log?${query({ limit: 200 })}`);
  if (mine !== round) return;
  round += 1;
  last = "";
  seen = new Set();
  log.replaceChildren();
  add(records);
  log.scrollTop = log.scrollHeight;
}

let timer = 0;
filter.addEventListener("input", ({ target }) => {
  if (target.name === "follow") return;
  clearTimeout(timer);
  timer = setTimeout(() => work(null, restart), 250);
});
filter.addEventListener("submit", (event) => event.preventDefault());

filter.elements.plugin.value = new URLSearchParams(location.search).get("plugin") ?? "";
const plugins = await ask("/api/plugins").catch(() => []);
byId("ids").replaceChildren(...plugins.map((each) => el("option", { value: each.id })));
await work(null, restart);
every(1000, async () => {
  if (!filter.elements.follow.checked) return;
  const mine = round;
  const records = await ask(`/api/admin/log?${query({ limit: 1000, since: last })}`);
  if (mine === round) add(records);
});
