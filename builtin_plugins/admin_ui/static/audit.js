import { ask, byId, el, when, work } from "./desk.js";

const PAGE = 100;
let before = null;

async function load() {
  const found = await ask(`/api/admin/audit?limit=${PAGE}${before ? `&before=${before}` : ""}`);
  byId("entries").append(...found.map((each) => el("tr", {},
    el("td", {}, el("time", { datetime: each.at }, when(each.at))), el("td", {}, each.principal.name || each.principal.id || "nobody"),
    el("td", {}, each.summary || each.action, each.summary ? el("br") : null, each.summary ? el("small", {}, each.action) : null),
    el("td", {}, each.peer || "command line"))));
  before = found.at(-1)?.id ?? before;
  byId("more").hidden = found.length < PAGE;
}

byId("more").addEventListener("click", ({ currentTarget }) => work(currentTarget, load));
work(null, load);
